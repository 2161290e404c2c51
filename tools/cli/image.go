package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
)

func imageCommand() *cobra.Command {
	var opt recipe.Options
	cmd := &cobra.Command{
		Use:   "image NAME...",
		Short: "Make the images of containers that nodes run",
		Long: "Make images of containers, of Debian packages and our programs, without an engine for\n" +
			"containers: admin for those who log in, control for those who come through the API,\n" +
			"pause, which pods begin with, and for clusters that shipyard makes coredns and\n" +
			"kube-network-VERSION, with hello to try them. Each is written as a layout, as an archive, and with the\n" +
			"packages that it was made of. The same packages and sources give the same bytes.",
		Example: "  shipyard image control admin\n" +
			"  shipyard image admin --lock build/oci/admin-packages.lock.json    # the same packages again",
		Args:      usage(cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: recipe.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Lock != "" && len(args) > 1 {
				return usageError{fmt.Errorf("--lock is for one image, and these are %s", strings.Join(args, ", "))}
			}
			if opt.Out == "" {
				opt.Out = root.Path(recipe.Dir)
			}
			for _, name := range args {
				built, err := recipe.Build(cmd.Context(), root, name, opt, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s %.1f MB\n", built.Ref, built.Digest, built.Archive, float64(built.Size)/1e6)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&opt.Out, "out", "", "put images into `DIR` instead of build/oci/images")
	cmd.Flags().StringVar(&opt.Version, "version", recipe.Version, "give images the version `X`")
	cmd.Flags().StringVar(&opt.Lock, "lock", "", "take the very Debian packages of an earlier build, from its `FILE`")
	return cmd
}
