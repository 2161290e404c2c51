// Package console shows on the console of a node how the node is.
//
// Nobody can log in there, so this is all that somebody who stands before the
// machine sees: what it is, where it is reached, and when something is wrong,
// what and what to do.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/screen"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Files below the root that the program writes.
const (
	shownFile = "run/bulkhead/console" // what was shown last
	bootFile  = "run/bulkhead/boot.json"
)

// options are what the command line says.
type options struct {
	root   string
	socket string
	booted bool
}

// Command returns the program. It ends when the status is shown.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "console-status",
		Short: "Show on the console how the node is",
		Long: `Show on the console how the node is: what runs on it, where it is reached, and
what is wrong with it. What was shown last is not shown again.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return opt.run(cmd.Context()) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.root, "root", "/", "`DIR` that stands for the root of the node")
	f.StringVar(&opt.socket, "socket", client.DefaultSocket, "`PATH` of the socket of the settings API")
	f.BoolVar(&opt.booted, "booted", false, "note that the boot is complete")
	return cmd
}

// writeLimit is how long a terminal may take.
const writeLimit = 5 * time.Second

func (o options) run(ctx context.Context) error {
	var noteErr error
	if o.booted {
		noteErr = o.noteBoot()
	}
	text := render(o.read(ctx))
	was, err := os.ReadFile(o.path(shownFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(noteErr, err)
	}
	if string(was) == text {
		return noteErr
	}
	if err := screen.New(o.root, writeLimit).Show("\n" + text); err != nil {
		return errors.Join(noteErr, err)
	}
	return errors.Join(noteErr, o.replace(shownFile, []byte(text)))
}

// A boot is what others learn of a boot that is complete.
type boot struct {
	ID        string    `json:"boot_id"`
	Completed time.Time `json:"completed"`
	Seconds   float64   `json:"seconds"` // since the kernel started
}

// noteBoot says to whom it may concern that this boot is complete.
func (o options) noteBoot() error {
	id, err := os.ReadFile(o.path("proc/sys/kernel/random/boot_id"))
	if err != nil {
		return fmt.Errorf("note the end of the boot: %w", err)
	}
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return fmt.Errorf("note the end of the boot: %w", err)
	}
	data, err := json.Marshal(boot{strings.TrimSpace(string(id)), time.Now().UTC().Truncate(time.Second), time.Duration(since.Nano()).Round(time.Millisecond).Seconds()})
	if err != nil {
		return err
	}
	return o.replace(bootFile, append(data, '\n'))
}

func (o options) replace(name string, data []byte) error {
	dir := o.path(filepath.Dir(name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, filepath.Base(name), data, atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
}
