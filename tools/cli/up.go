package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/up"
	"github.com/bulkhead-os/bulkhead/tools/vm"
)

// supervise is the command with which shipyard becomes a supervisor.
const supervise = "supervise"

func upCommand() *cobra.Command {
	opt := up.Options{Verb: supervise}
	var yes bool
	var disk int64
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up nodes in virtual machines",
		Long: "From the sources to healthy nodes: check this computer and install what is missing, build\n" +
			"the image if its sources changed, make certificates and first settings, switch the nodes\n" +
			"on in QEMU, and wait until each says that it is healthy. apiclient then talks to the first\n" +
			"of them, and knows the others by their names.\n\n" +
			"Nodes of Kubernetes join a control plane that runs on this computer, unless their user\n" +
			"data names another one. It is reached with shipyard kubectl.\n\n" +
			"The nodes share a virtual network and run in the background until they are switched off.\n" +
			"Called again, up leaves alone what is there. A node keeps its disk, and with it its\n" +
			"settings, until down --delete.",
		Example: "  shipyard up\n" +
			"  shipyard up --nodes 3 --memory 1024\n" +
			"  shipyard up --user-data my-node.toml\n" +
			"  shipyard up --variant qemu-k8s-1.37 --nodes 2",
		Args: usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Contexts, err = contexts.DefaultDir(); err != nil {
				return err
			}
			opt.DiskSize = disk << 30
			opt.Ask = asker(cmd, yes)
			return up.Run(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	clusterFlag(cmd, &opt.Cluster)
	f.StringVar(&opt.Variant, "variant", "qemu-dev", "bring up nodes of the variant `NAME`")
	f.StringVar(&opt.Image, "image", "", "use the image in `DIR` instead of building one")
	f.IntVar(&opt.Nodes, "nodes", 1, "bring up `N` nodes")
	f.StringVar(&opt.UserData, "user-data", "", "give new nodes the settings in `FILE` besides those that make them reachable")
	f.IntVar(&opt.Memory, "memory", 2048, "give each node `N` MiB of memory")
	f.IntVar(&opt.CPUs, "cpus", 2, "give each node `N` processors")
	f.Int64Var(&disk, "disk", 16, "give each new node a disk of `N` GiB, which takes the space that is used of it")
	f.BoolVar(&opt.SecureBoot, "secure-boot", false, "start only what the keys of the image signed")
	f.DurationVar(&opt.Limit, "limit", 5*time.Minute, "fail when the nodes are not healthy after this `TIME`")
	f.StringVar(&opt.ControlPlane, "control-plane", up.ControlPlaneAuto, "run a control plane for nodes of Kubernetes at `WHERE`: host is this computer, auto that unless\nthe user data names another one, none")
	f.BoolVar(&yes, "yes", false, "install what is missing without asking")
	return cmd
}

func clusterFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "cluster", up.DefaultCluster, "the cluster called `NAME`, whose nodes are NAME-1 and so on")
}

// asker returns what asks a person, and says yes for him if he said so or there
// is none.
func asker(cmd *cobra.Command, yes bool) func(string) (bool, error) {
	return func(question string) (bool, error) {
		if yes || !term.IsTerminal(int(os.Stdin.Fd())) {
			return true, nil
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s [Y/n] ", question)
		answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "", "y", "yes":
			return err == nil, nil
		}
		return false, nil
	}
}

func downCommand() *cobra.Command {
	var opt up.DownOptions
	cmd := &cobra.Command{
		Use:   "down [NODE...]",
		Short: "Switch nodes off",
		Long: "Shut nodes down: the named ones, or all of a cluster, and then also end what runs in the\n" +
			"background for them. Their disks stay, and up switches them on again. With --delete\n" +
			"nothing of the cluster stays.",
		Example: "  shipyard down\n  shipyard down dev-2\n  shipyard down --delete",
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.Delete && len(args) > 0 {
				return usageError{errors.New("--delete is for a whole cluster: name no nodes")}
			}
			opt.Nodes = args
			root, err := here()
			if err != nil {
				return err
			}
			if opt.Contexts, err = contexts.DefaultDir(); err != nil {
				return err
			}
			return up.Down(cmd.Context(), root, opt, cmd.OutOrStdout())
		},
	}
	clusterFlag(cmd, &opt.Cluster)
	cmd.Flags().BoolVar(&opt.Force, "force", false, "cut the power instead of asking the nodes to shut down")
	cmd.Flags().BoolVar(&opt.Delete, "delete", false, "cut the power and delete disks, certificates and contexts")
	return cmd
}

func psCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:     "ps",
		Short:   "Show the nodes in virtual machines",
		Long:    "Show each node that up made: whether it is on, since when, where its API is reached, and\nwhy it is off.",
		Example: "  shipyard ps\n  shipyard ps -o json",
		Args:    usage(noWords),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			switch form {
			case "table":
				return up.List(cmd.Context(), root, cmd.OutOrStdout())
			case "json":
				all, err := up.Machines(cmd.Context(), root)
				if err != nil {
					return err
				}
				return json.NewEncoder(cmd.OutOrStdout()).Encode(append([]cluster.Status{}, all...))
			}
			return usageError{fmt.Errorf("--output %q: want table or json", form)}
		},
	}
	cmd.Flags().StringVarP(&form, "output", "o", "table", "print as `FORM`: table or json")
	return cmd
}

func consoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "console [NODE]",
		Short: "Sit at the console of a node",
		Long: "Show what a node wrote to its serial console since it was switched on and what it writes\n" +
			"now, and type there what is typed here. Ctrl-] leaves it. The node may be left out when\n" +
			"there is only one.",
		Example: "  shipyard console\n  shipyard console dev-2",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			return up.Console(cmd.Context(), root, strings.Join(args, ""), os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs [NODE]",
		Short: "Print what a node wrote to its console",
		Long: "Print what a node wrote to its console since it was last switched on, also when it is off.\n" +
			"The journal of a node that answers is had with: apiclient logs",
		Example: "  shipyard logs\n  shipyard logs -f dev-2",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			return up.Logs(cmd.Context(), root, strings.Join(args, ""), follow, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what it writes")
	return cmd
}

func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     supervise + " DIR",
		Short:   "Run the machines of a cluster",
		Long:    "Run the virtual machines of the cluster whose directory is DIR. up starts it in the background.",
		Example: "  shipyard supervise build/vm/dev",
		Args:    usage(cobra.ExactArgs(1)),
		Hidden:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := here()
			if err != nil {
				return err
			}
			e, ok := vm.Find(cmd.Context(), root)
			if !ok {
				return errors.New("the emulator is not there; shipyard up fetches it")
			}
			c, err := cluster.New(filepath.Dir(args[0]), filepath.Base(args[0]))
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			beside, err := up.Companions(root, c, log)
			if err != nil {
				return err
			}
			return cluster.Supervise(cmd.Context(), c, e, log, beside...)
		},
	}
}
