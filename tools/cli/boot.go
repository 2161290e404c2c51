package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/tools/boot"
)

func bootCommand() *cobra.Command {
	var opt boot.Options
	var variant string
	cmd := &cobra.Command{
		Use:   "boot",
		Short: "Boot an image in a virtual machine and show its console",
		Long: "Boot the image that build made in QEMU, which is fetched the first time, and show its\n" +
			"console until the machine is off or a line has come. KVM is used where it works. What\n" +
			"the machine writes to its disk is forgotten unless --keep is given.",
		Example: "  shipyard boot\n  shipyard boot --direct --append systemd.show_status=1 --until 'Reached target multi-user'",
		Args:    usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Dir == "" {
				opt.Dir = root.Path("build", "images", variant)
			}
			return boot.Run(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&variant, "variant", "qemu-dev", "boot the image of the variant `NAME`")
	f.StringVar(&opt.Dir, "image", "", "boot the image in `DIR` instead of build/images/NAME")
	f.StringVar(&opt.State, "state", "", "keep the console's log and the firmware's variables in `DIR` instead of build/vm/NAME")
	f.StringVar(&opt.Until, "until", "", "end well at a line of the console that contains `TEXT`")
	f.DurationVar(&opt.Limit, "limit", 5*time.Minute, "end badly after this `TIME`; 0 for none")
	f.BoolVar(&opt.Direct, "direct", false, "start the kernel without firmware and boot loader")
	f.StringVar(&opt.Append, "append", "", "with --direct, add `WORDS` to the kernel command line")
	f.IntVar(&opt.Memory, "memory", 2048, "give the machine `N` MiB of memory")
	f.IntVar(&opt.CPUs, "cpus", 2, "give the machine `N` processors")
	f.BoolVar(&opt.Keep, "keep", false, "keep what the machine writes to its disk")
	return cmd
}
