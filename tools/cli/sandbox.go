package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/activation"
	"github.com/bulkhead-os/bulkhead/tools/sandbox"
)

// activated is the command with which shipyard becomes a program that was given
// its socket.
const activated = "activated"

func activatedCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "activated PROGRAM [ARG...]",
		Short:              "Become a program with the socket it was given",
		Long:               "Become a program, telling it that the socket at descriptor 3 is meant for it.",
		Example:            "  shipyard activated /usr/bin/apply",
		Args:               usage(cobra.MinimumNArgs(1)),
		Hidden:             true,
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return activation.Become(args) },
	}
}

func sandboxCommand() *cobra.Command {
	var opt sandbox.Options
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the settings API here, to try it out",
		Long: "Build the settings daemon and its client, run the daemon on a socket in a new directory,\n" +
			"give it a node's user data, and wait. Files that follow from settings are written there,\n" +
			"too; what would be done with units is written down. Nothing outside the directory is\n" +
			"touched and no root is needed. Ctrl-C, or the end of the\n" +
			"terminal, ends the daemon and removes the directory; what is left when the program is\n" +
			"killed outright, the next start removes.",
		Example: "  shipyard sandbox\n" +
			"  shipyard sandbox --variant metal-k8s-1.36 --user-data my-node.toml\n" +
			"  shipyard sandbox --dir /tmp/node --keep",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			return sandbox.Run(cmd.Context(), root, opt, cmd.OutOrStdout(), activated)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Variant, "variant", sandbox.Variant, "be a node of the variant `NAME`")
	f.StringVar(&opt.UserData, "user-data", "", "apply `FILE` instead of "+sandbox.UserData)
	f.StringVar(&opt.Dir, "dir", "", "keep state in `DIR`, which is made if it is not there, instead of a temporary directory")
	f.BoolVar(&opt.Keep, "keep", false, "do not remove the directory at the end")
	return cmd
}
