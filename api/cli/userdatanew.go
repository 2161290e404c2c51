package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/internal/durable"
	"github.com/bulkhead-os/bulkhead/api/internal/nocloud"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// maxEC2 is how much user data EC2 takes.
const maxEC2 = 16 << 10

// The forms that user data is given to platforms in.
const (
	asText = "text"
	asPack = "gzip-base64"
	asISO  = "iso"
	asFAT  = "fat"
)

type newOptions struct {
	variant  string
	to       string
	out      string
	instance string
	network  string
}

func (p *program) userDataNewCommand() *cobra.Command {
	var opt newOptions
	cmd := &cobra.Command{
		Use:   "new --variant NAME [FILE | URI | -]",
		Short: "Write user data to start from, or a medium with user data",
		Long: `Without a FILE, print user data for nodes of the variant called NAME that sets
nothing and shows everything that could be set, with what it does.

With a FILE, check that and write it in the form that a platform wants:

  text         as it is
  gzip-base64  packed, for EC2, and for guestinfo.userdata on VMware with
               guestinfo.userdata.encoding = "gzip+base64"
  iso          the image of a CD labelled cidata, as NoCloud has it
  fat          the image of a disk labelled CIDATA, the same for a USB stick

Media also hold meta-data with the name of the instance, and the network-config
that --network-config names.`,
		Example: `  apiclient user-data new --variant metal-dev > user-data.toml
  apiclient user-data new --variant metal-dev --to iso --out seed.iso user-data.toml
  apiclient user-data new --variant aws-k8s-1.36 --to gzip-base64 user-data.toml`,
		Args: between(0, 1, "at most one FILE"),
	}
	variantFlag(cmd, &opt.variant)
	f := cmd.Flags()
	f.StringVar(&opt.to, "to", asText, "write `FORM`: text, gzip-base64, iso or fat")
	fixed(cmd, "to", asText, asPack, asISO, asFAT)
	f.StringVar(&opt.out, "out", "", "write to `FILE`, for its owner alone, instead of standard output")
	f.StringVar(&opt.instance, "instance-id", "", "`NAME` of the instance on a medium; made of the user data if not given")
	f.StringVar(&opt.network, "network-config", "", "put the network-config in `FILE` on a medium")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opt.check(args); err != nil {
			return err
		}
		text, err := p.userDataText(cmd, opt, args)
		if err != nil {
			return err
		}
		data, err := p.packUserData(cmd, opt, text)
		if err != nil {
			return err
		}
		if opt.out == "" {
			_, err := cmd.OutOrStdout().Write(data)
			return err
		}
		return durable.Write(opt.out, data, 0o600)
	}
	return cmd
}

// check refuses options that do not go together.
func (o newOptions) check(args []string) error {
	medium := o.to == asISO || o.to == asFAT
	switch {
	case !slices.Contains([]string{asText, asPack, asISO, asFAT}, o.to):
		return usage("--to %q: want text, gzip-base64, iso or fat", o.to)
	case medium && o.out == "":
		return &UsageError{Err: fmt.Errorf("an image is not written to standard output"), Hint: "name a file with --out"}
	case o.to != asText && len(args) == 0:
		return &UsageError{Err: fmt.Errorf("want a FILE with user data to write as %s", o.to), Hint: "without --to, a text to start from is printed"}
	case !medium && (o.instance != "" || o.network != ""):
		return usage("--instance-id and --network-config are for --to iso and --to fat")
	case strings.ContainsFunc(o.instance, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`:#"'{}[],&*!|>%@`+"`", r) }):
		return usage("--instance-id %q: want letters, digits and - . _ /", o.instance)
	}
	return nil
}

// userDataText returns the user data that args name, if a node takes all of it,
// or else what there is to start from.
func (p *program) userDataText(cmd *cobra.Command, opt newOptions, args []string) ([]byte, error) {
	if len(args) == 0 {
		v, err := localVariant(opt.variant)
		if err != nil {
			return nil, err
		}
		return userdata.Skeleton(v), nil
	}
	f, err := readUserData(cmd, opt.variant, args)
	if err != nil {
		return nil, err
	}
	if err := f.Result.Report.Err(); err != nil {
		return nil, err
	}
	writeFaults(cmd.ErrOrStderr(), f.Result.Report.Faults)
	if opt.to == asPack { // once is enough
		return f.Bytes, nil
	}
	return f.data, nil
}

// packUserData puts text into the form that is asked for.
func (p *program) packUserData(cmd *cobra.Command, opt newOptions, text []byte) ([]byte, error) {
	switch opt.to {
	case asPack:
		return p.gzipBase64(cmd, text)
	case asISO, asFAT:
		files, err := mediumFiles(cmd, opt, text)
		if err != nil {
			return nil, err
		}
		if opt.to == asISO {
			return nocloud.ISO(files)
		}
		return nocloud.FAT(files)
	}
	return text, nil
}

func (p *program) gzipBase64(cmd *cobra.Command, text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	out := append(base64.StdEncoding.AppendEncode(nil, packed.Bytes()), '\n')
	switch n := packed.Len(); {
	case len(out) > userdata.MaxPacked:
		return nil, fmt.Errorf("packed, the user data has %d bytes, and a node takes at most %d", len(out), userdata.MaxPacked)
	case n > maxEC2:
		p.note(cmd, "packed, the user data has %d bytes, and EC2 takes at most %d", n, maxEC2)
	}
	return out, nil
}

// mediumFiles returns the files of a medium with the user data text. The name
// of the instance follows from the text unless it is given.
func mediumFiles(cmd *cobra.Command, opt newOptions, text []byte) ([]nocloud.File, error) {
	id := opt.instance
	if id == "" {
		sum := sha256.Sum256(text)
		id = "iid-" + hex.EncodeToString(sum[:8])
	}
	files := []nocloud.File{{Name: "user-data", Data: text}, {Name: "meta-data", Data: []byte("instance-id: " + id + "\n")}}
	if opt.network == "" {
		return files, nil
	}
	sources, err := readSources(cmd.Context(), cmd.InOrStdin(), []string{opt.network})
	if err != nil {
		return nil, err
	}
	return append(files, nocloud.File{Name: "network-config", Data: sources[0].data}), nil
}
