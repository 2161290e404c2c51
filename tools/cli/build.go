package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/image"
)

func buildCommand() *cobra.Command {
	var opt image.Options
	var embed []string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build an image that boots",
		Long: "Build the image of a variant from Debian packages, Go modules and the programs of this\n" +
			"repository. It needs apt-get and dpkg-deb, the network for what was not fetched before,\n" +
			"and no root. The same sources give the same bytes, and what did not change is not\n" +
			"made again.",
		Example: "  shipyard build\n  shipyard build --variant qemu-dev --version 1.2.0\n" +
			"  shipyard build --embed admin --embed control=build/oci/images/control.tar\n" +
			"  shipyard build --lock releases/1.2.0/packages.lock.json    # the same packages again",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Embed, err = image.ParseEmbed(embed); err != nil {
				return usageError{err}
			}
			return image.Build(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Variant, "variant", "qemu-dev", "build the variant `NAME`")
	f.StringVar(&opt.Version, "version", "0.0.0", "stamp the image with version `X`")
	f.StringVar(&opt.Keys, "keys", "", "sign with the keys in `DIR` instead of build/keys, where they are made the first time")
	f.StringVar(&opt.Root, "update-root", "", "have nodes trust the updates that this root.json `FILE` of a repository leads to; else update-root.json among the keys, if it is there")
	f.StringVar(&opt.Migrations, "migrations", "", "carry the migrations of settings in `FILE` instead of those in models/migration, as for trying them out")
	f.StringVar(&opt.Lock, "lock", "", "take the very Debian packages of an earlier build, from its packages.lock.json `FILE`")
	f.BoolVar(&opt.Update, "update", false, "take the newest Debian packages instead of those of the last build")
	f.StringArrayVar(&embed, "embed", nil, "make the image of the host container `NAME[=SOURCE]` part of the operating system: the one that shipyard image makes, or an archive, a layout, or one in a registry; may be repeated")
	f.BoolVar(&opt.Qcow2, "qcow2", false, "make the disk as qcow2, too")
	f.StringVar(&opt.Out, "out", "", "put the image into `DIR` instead of build/images/NAME")
	return cmd
}
