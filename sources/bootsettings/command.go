// Package bootsettings prepares the command line of the next boot.
//
// The command line is part of the signed boot program of the image. What settings
// add to it stands in addons, which systemd's boot stub reads from a directory
// beside the program: one that is made here, and those that came with the image
// and are chosen by name. Under Secure Boot only the latter are taken.
//
// They are put there when the node goes down, for the version that is started
// next and no other, so that a version is left that came up with what it has.
package bootsettings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// options are what the command line says.
type options struct {
	health    string
	mayReboot bool
	install   bool
}

// Command returns the program.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "boot-settings FILE",
		Short: "Prepare the command line of the next boot",
		Long: `Compare what FILE wants a boot to add to the command line with this boot, and
report the difference. With --install, for when the node goes down, write it to the
ESP for the version that is started next; where another version could take over, that
version has to become healthy with it. If the file asks for it and the command line
allows it, install it and reboot when this boot does not have it and the node is still
booting.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: the file with the settings", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			log := journallog.New(cmd.ErrOrStderr())
			m := machine{root: "/", esp: espDir, state: stateFile, none: noneFile, mayReboot: opt.mayReboot}
			return opt.run(cmd.Context(), args[0], m, log)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().BoolVar(&opt.mayReboot, "may-reboot", false, "reboot the node if it is still booting")
	cmd.Flags().BoolVar(&opt.install, "install", false, "write to the ESP what the next boot is to have")
	cmd.Flags().StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	cmd.MarkFlagsMutuallyExclusive("may-reboot", "install")
	return cmd
}

func (o options) run(ctx context.Context, file string, m machine, log *slog.Logger) error {
	p, err := m.plan(ctx, file)
	if err == nil && (o.install || p.Reboot) {
		log.Info("boot settings", "wanted", p.Goal, "in this boot", p.Have)
		err = m.install(p, time.Now())
	} else if err == nil {
		err = m.tidy(p)
	}
	if err != nil {
		p.Reboot = false
		p.Faults = append(p.Faults, report.Fault{
			Severity: report.Warning, Code: codeFailed, Path: "settings.boot", Detail: err.Error(), Hint: "the next boot has the parameters that this one has",
		})
	}
	for _, f := range p.Faults {
		log.Warn("not as the settings say", "fault", f.String())
	}
	if err := errors.Join(err, healthfile.WriteTo(o.health, "boot-settings", p.Faults)); err != nil {
		return err
	}
	if !p.Reboot {
		return nil
	}
	log.Warn("rebooting: this boot does not have the parameters that the settings ask for")
	return m.reboot(ctx)
}

func (m machine) plan(ctx context.Context, file string) (Plan, error) {
	s, err := m.settings(file)
	if err != nil {
		return Plan{}, err
	}
	n, err := m.look(ctx, s)
	if err != nil {
		return Plan{}, err
	}
	return MakePlan(s, n)
}

// tidy remembers what a plan says, and where nothing is wanted and nothing there,
// marks that: the program then need not be started at the next boot.
func (m machine) tidy(p Plan) error {
	if err := m.save(p.State); err != nil {
		return err
	}
	if p.nothing() && !m.marked() {
		_ = m.onESP(m.mark) // a node without an ESP has no addons
	}
	return nil
}
