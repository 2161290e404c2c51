// Package bootsettings prepares the command line of the next boot.
//
// The command line is part of the signed boot program of the image. What settings
// add to it stands in addons beside that, which systemd's boot stub reads: one
// that is made here, and those that came with the image and are chosen by name.
// Under Secure Boot only the latter are taken.
package bootsettings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Command returns the program.
func Command() *cobra.Command {
	health, mayReboot := healthfile.Dir, false
	cmd := &cobra.Command{
		Use:   "boot-settings FILE",
		Short: "Prepare the command line of the next boot",
		Long: `Write to the ESP what FILE wants the next boot to add to the command line. If the
file asks for it and the command line allows it, reboot when this boot does not have
it and the node is still booting.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: the file with the settings", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			log := journallog.New(cmd.ErrOrStderr())
			m := machine{root: "/", esp: espDir, state: stateFile, mayReboot: mayReboot}
			return run(cmd.Context(), args[0], m, health, log)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().BoolVar(&mayReboot, "may-reboot", false, "reboot the node if it is still booting")
	cmd.Flags().StringVar(&health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	return cmd
}

func run(ctx context.Context, file string, m machine, health string, log *slog.Logger) error {
	p, err := prepare(ctx, file, m, log)
	if err != nil {
		p.Faults = append(p.Faults, report.Fault{
			Severity: report.Warning, Code: codeFailed, Path: "settings.boot", Detail: err.Error(), Hint: "the next boot has the parameters that this one has",
		})
	}
	for _, f := range p.Faults {
		log.Warn("not as the settings say", "fault", f.String())
	}
	if err := healthfile.WriteTo(health, "boot-settings", p.Faults); err != nil {
		return err
	}
	if err != nil || !p.Reboot {
		return err
	}
	log.Warn("rebooting: this boot does not have the parameters that the settings ask for")
	return m.reboot(ctx)
}

// prepare makes a plan and carries it out as far as the reboot.
func prepare(ctx context.Context, file string, m machine, log *slog.Logger) (_ Plan, err error) {
	s, err := m.settings(file)
	if err != nil {
		return Plan{}, err
	}
	close, err := m.open()
	if err != nil {
		return Plan{}, m.excuse(s, err)
	}
	defer func() { err = errors.Join(err, close()) }()
	n, err := m.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	p, err := MakePlan(s, n)
	if err != nil {
		return p, err
	}
	if err := m.carryOut(p, n); err != nil {
		p.Reboot = false
		return p, err
	}
	log.Info("boot settings", "written", len(p.Write), "removed", len(p.Remove))
	return p, nil
}
