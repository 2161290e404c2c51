package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/registry"
)

func registryCommand() *cobra.Command {
	var opt registry.Options
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Run an image registry on this computer",
		Long: "Run the registry of the CNCF on a loopback address, for images that nodes in virtual\n" +
			"machines and tests are to fetch. Without --dir images are kept in memory and are gone\n" +
			"at the end, which Ctrl-C brings. Nodes reach this computer by the address of their\n" +
			"network's gateway.",
		Example: "  shipyard registry\n" +
			"  shipyard registry --dir build/registry --listen 127.0.0.1:5000",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if err := registry.Prepare(cmd.Context(), root, cmd.ErrOrStderr()); err != nil {
				return err
			}
			opt.Log = cmd.ErrOrStderr()
			r, err := registry.Start(cmd.Context(), root, opt)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), r.Addr)
			select {
			case <-cmd.Context().Done():
			case <-r.Ended():
			}
			return r.Stop()
		},
	}
	cmd.Flags().StringVar(&opt.Dir, "dir", "", "keep images in `DIR`, which is made if it is not there")
	cmd.Flags().StringVar(&opt.Listen, "listen", "127.0.0.1:5000", "listen at `ADDRESS`")
	cmd.Flags().StringVar(&opt.HTPasswd, "htpasswd", "", "ask for a user and password of `FILE`, as htpasswd -B writes it")
	return cmd
}
