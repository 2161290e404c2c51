// Package networkconfig gives systemd-networkd its files.
//
// The network of a node is described by its settings, by a net.toml on its
// partition PRIVATE, or by the kernel command line; the first of them that says
// anything counts. Without any, nothing is written, and the file that comes with
// the image gives every device addresses. The same happens when a description
// cannot be used, so that the node can be reached and mended; its health then
// says why.
package networkconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// options say where a program works, for tests.
type options struct{ root, health string }

// Command returns the program.
func Command() *cobra.Command {
	opt := options{}
	cmd := &cobra.Command{
		Use:   "network-config",
		Short: "Give systemd-networkd its files",
		Long: `Write the files of systemd-networkd that the network of the node asks for. It is
described by settings.network.interfaces, else by ` + privateFile + `,
else by ` + parameter + ` on the kernel command line. Without any, each
device takes its addresses by DHCP.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage.Mistake(errors.New("want a command: generate, show, validate or set-hostname"))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.PersistentFlags()
	f.StringVar(&opt.root, "root", "/", "`DIR` that the files of the node are in")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	cmd.AddCommand(generateCommand(&opt), showCommand(&opt), validateCommand(&opt), hostnameCommand(&opt))
	for _, sub := range cmd.Commands() {
		sub.Args = refused(sub.Args)
	}
	return cmd
}

// refused makes wrong arguments a misuse.
func refused(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage.Mistake(err)
		}
		return nil
	}
}

func generateCommand(opt *options) *cobra.Command {
	return &cobra.Command{
		Use: "generate", Short: "Write the files, and have systemd-networkd read them if it runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := journallog.New(cmd.ErrOrStderr())
			return generate(cmd.Context(), *opt, networkd{}, log)
		},
	}
}

// generate makes the files of the node those that its network asks for.
func generate(ctx context.Context, opt options, daemon daemon, log *slog.Logger) error {
	root, err := os.OpenRoot(opt.root)
	if err != nil {
		return err
	}
	defer root.Close()
	c, found, err := Find(root)
	faults := faultsOf(err)
	var files []File
	if found {
		files = Files(c)
	}
	for _, f := range faults {
		log.Error("the network is not the one described", "fault", f.String())
	}
	done, err := replace(root, files)
	if err != nil {
		faults = append(faults, report.Fault{Severity: report.Error, Code: codeNetwork, Detail: err.Error(), Hint: "reboot the node; its network is the one it had"})
		return errors.Join(err, healthfile.WriteTo(opt.health, "network-config", faults))
	}
	log.Info("network", "source", sourceText(c, found), "written", len(done.written), "removed", len(done.removed))
	if err := daemon.follow(ctx, done); err != nil {
		faults = append(faults, report.Fault{Severity: report.Warning, Code: codeNetwork, Detail: err.Error(), Hint: "reboot the node to have its network as it is described"})
	}
	return healthfile.WriteTo(opt.health, "network-config", faults)
}

// Codes of faults of the program.
const (
	codeNetwork  report.Code = "network-config" // the node has not the network that it should have
	codeHostname report.Code = "hostname"       // the host name could not be set
)

func sourceText(c Config, found bool) string {
	if !found {
		return "none: DHCP on every device"
	}
	return c.Source
}

// faultsOf returns what makes a description useless, as the health of the node
// says it.
func faultsOf(err error) []report.Fault {
	const hint = "every device takes its addresses by DHCP for now; mend the description and reboot, or set settings.network.interfaces"
	refused, ok := errors.AsType[*Refused](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return []report.Fault{{Severity: report.Error, Code: codeNetwork, Detail: err.Error(), Hint: hint}}
	}
	out := make([]report.Fault, 0, len(refused.Report.Faults))
	for _, f := range refused.Report.Faults {
		text := f.String()
		out = append(out, report.Fault{Severity: f.Severity, Code: codeNetwork, Detail: text, Hint: hint})
	}
	return out
}

func showCommand(opt *options) *cobra.Command {
	return &cobra.Command{
		Use: "show [FILE]", Short: "Print the files for the network of the node, or for the one in FILE", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := described(*opt, args)
			if err != nil {
				return err
			}
			if !found {
				fmt.Fprintln(cmd.ErrOrStderr(), "there is no description of a network: every device takes its addresses by DHCP")
				return nil
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "from %s\n", c.Source)
			_, err = fmt.Fprint(cmd.OutOrStdout(), listing(Files(c)))
			return err
		},
	}
}

func validateCommand(opt *options) *cobra.Command {
	return &cobra.Command{
		Use: "validate [FILE]", Short: "Say what is wrong with the network of the node, or with the one in FILE", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := described(*opt, args)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d interfaces, no faults\n", sourceText(c, found), len(c.Interfaces))
			return nil
		},
	}
}

// described returns the network in the file that args name, or that of the node.
func described(opt options, args []string) (Config, bool, error) {
	if len(args) == 1 {
		data, err := os.ReadFile(args[0])
		if err != nil {
			return Config{}, false, err
		}
		c, err := Parse(data, args[0])
		return c, err == nil, err
	}
	root, err := os.OpenRoot(opt.root)
	if err != nil {
		return Config{}, false, err
	}
	defer root.Close()
	return Find(root)
}

func hostnameCommand(opt *options) *cobra.Command {
	return &cobra.Command{
		Use: "set-hostname FILE", Short: "Give the running system the name in FILE", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			err := setHostname(args[0], kernelHostname)
			var faults []report.Fault
			if err != nil {
				faults = []report.Fault{{Severity: report.Warning, Code: codeHostname, Detail: err.Error(), Hint: "set settings.network.hostname"}}
			}
			return errors.Join(err, healthfile.WriteTo(opt.health, "set-hostname", faults))
		},
	}
}

// maxKernelName is the longest name that the kernel takes.
const maxKernelName = 64

// setHostname hands the name in file to set. Of a name that is too long for the
// kernel only the first label, which always fits, is the name of the system.
func setHostname(file string, set func(string) error) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name, err := scalar.ParseHostname(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	text := name.String()
	if len(text) > maxKernelName {
		text, _, _ = strings.Cut(text, ".")
	}
	if err := set(text); err != nil {
		return fmt.Errorf("set the host name to %q: %w", text, err)
	}
	return nil
}
