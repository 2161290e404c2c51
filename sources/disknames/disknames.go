// Package disknames finds out what whoever attached a disk has called it.
//
// On EC2 a volume is attached under a name such as /dev/sdf, and the node sees
// an NVMe disk with a number instead. The disk itself knows the name. udev asks
// for it, and makes a link.
package disknames

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Command returns the program.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disk-names DEVICE",
		Short: "Print the name under which a disk was attached",
		Long: `Print the name under which DEVICE, an NVMe disk of EC2, was attached, as a variable
for udev. Of other disks nothing is printed.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: the file of a disk", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := identify(args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			name, err := Name(data)
			if err != nil || name == "" {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s=%s\n", variable, name)
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	return cmd
}

// variable is what the rule of udev reads.
const variable = "BULKHEAD_DISK_NAME"

// Places in what an NVMe controller says of itself.
const (
	identitySize = 4096
	modelStart   = 24
	modelEnd     = 64
	nameStart    = 3072
	nameEnd      = 3104
)

// volume is the model of a volume of EC2.
const volume = "Amazon Elastic Block Store"

var wellFormed = regexp.MustCompile(`^(sd|xvd)[a-z]{1,2}[0-9]{0,2}$`)

// Name returns the name in data, which a controller said of itself, or "" where
// the disk is no volume of EC2 or was attached without a name.
func Name(data []byte) (string, error) {
	if len(data) < nameEnd {
		return "", errors.New("the disk says too little of itself")
	}
	if model := text(data[modelStart:modelEnd]); model != volume {
		return "", nil
	}
	name := strings.TrimPrefix(text(data[nameStart:nameEnd]), "/dev/")
	if name == "" || name == "none" {
		return "", nil
	}
	// It becomes the name of a link in /dev.
	if !wellFormed.MatchString(name) {
		return "", fmt.Errorf("the disk says that it is called %q, want a name such as sdf", name)
	}
	return name, nil
}

// text returns what stands in a field, which is filled up with spaces or zeros.
func text(field []byte) string { return strings.TrimRight(string(field), " \x00") }
