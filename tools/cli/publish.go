package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

func publishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish updates",
		Long: "Keep a repository of updates, signed so that nodes accept nothing else, and offered by any\n" +
			"server of files. docs/guide/publish.md shows the whole way.",
		Example: "  shipyard publish key root.key\n" +
			"  shipyard publish repo add updates build/images/qemu-dev --waves waves.toml\n" +
			"  shipyard publish repo release updates --key targets.key --key online.key\n" +
			"  shipyard publish serve updates",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(publishKeyCommand(), publishRepoCommand(), publishBundleCommand(), publishServeCommand())
	return cmd
}

func publishKeyCommand() *cobra.Command {
	kind := sign.Ed25519
	cmd := &cobra.Command{
		Use:   "key FILE",
		Short: "Make a key that signs",
		Long: "Make a key, write it to FILE and its public half to FILE.pub, and print its id. A file that\n" +
			"is there is not replaced.",
		Example: "  shipyard publish key root-1.key\n  shipyard publish key online.key --type ecdsa",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := sign.Generate(args[0], kind)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), k.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "type", kind, "make a key of `KIND`: ed25519 or ecdsa")
	return cmd
}

func publishBundleCommand() *cobra.Command {
	var opt struct{ out, root, from string }
	var s selector
	cmd := &cobra.Command{
		Use:   "bundle REPOSITORY VERSION",
		Short: "Put a release into one file",
		Long: "Write a release with all that proves it to one file, for nodes without a network. It is\n" +
			"good until the metadata in it expires. REPOSITORY is a directory or an address.\n\n" +
			"With --from the bundle has patches in place of images: it is small, and of use only to\n" +
			"nodes that run that version.",
		Example: "  shipyard publish bundle updates 1.2.0 --out bulkhead-1.2.0.bundle\n" +
			"  shipyard publish bundle updates 1.2.0 --from 1.1.0 --out bulkhead-1.1.0-to-1.2.0.bundle",
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.out == "" {
				return usageError{errors.New("bundle: --out FILE is missing")}
			}
			which, err := s.release(args[1])
			if err != nil {
				return err
			}
			var from update.Version
			if opt.from != "" {
				if from, err = update.ParseVersion(opt.from); err != nil {
					return usageError{err}
				}
			}
			trusted, err := trustedRoot(opt.root)
			if err != nil {
				return err
			}
			v, err := repo.From(args[0]).View(cmd.Context(), trusted, time.Now())
			if err != nil {
				return err
			}
			return v.Bundle(cmd.Context(), which, from, opt.out)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&opt.from, "from", "", "put in patches from version `X` instead of images")
	cmd.Flags().StringVar(&opt.out, "out", "", "write the bundle to `FILE`")
	cmd.Flags().StringVar(&opt.root, "root", "", "trust the root metadata in `FILE` instead of the first of the repository")
	return cmd
}

func publishServeCommand() *cobra.Command {
	listen := "127.0.0.1:8000"
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Offer a repository over HTTP, to try it out",
		Long: "Offer what nodes fetch from the repository in DIR over HTTP, until interrupted. Prints the\n" +
			"settings that make a node use it, and every request.",
		Example: "  shipyard publish serve updates\n  shipyard publish serve updates --listen 192.0.2.1:8000",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return repo.Serve(cmd.Context(), args[0], listen, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "listen at `ADDRESS`")
	return cmd
}

// A selector names the variant that a command is about.
type selector struct{ variant, arch string }

func (s *selector) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.variant, "variant", "qemu-dev", "the release is one of the variant `NAME`")
	cmd.Flags().StringVar(&s.arch, "arch", "x86_64", "the release is for the architecture `NAME`")
}

func (s *selector) release(version string) (repo.Selector, error) {
	v, err := update.ParseVersion(version)
	if err != nil {
		return repo.Selector{}, usageError{err}
	}
	return repo.Selector{Variant: s.variant, Arch: s.arch, Version: v}, nil
}

// trustedRoot returns the metadata in file, or nil where none is named.
func trustedRoot(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	return os.ReadFile(file)
}
