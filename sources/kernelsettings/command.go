// Package kernelsettings sets what of the running kernel no other program of the
// host sets: lockdown and huge pages.
//
// A run looks at the kernel, makes a list of values to write that depends on
// nothing else, and writes them. What the kernel did not do in full is reported.
package kernelsettings

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Command returns the program.
func Command() *cobra.Command {
	root, health := "/", healthfile.Dir
	cmd := &cobra.Command{
		Use:   "kernel-settings FILE",
		Short: "Set lockdown and huge pages of the running kernel",
		Long: `Set lockdown and huge pages of the running kernel to what FILE says. Lockdown is
only ever raised. It is a failure when lockdown cannot be raised, or when there is no
room for huge pages that are essential.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: the file with the settings", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			log := journallog.New(cmd.ErrOrStderr())
			return run(args[0], root, health, log)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().StringVar(&root, "root", "/", "`DIR` that has /sys in it")
	cmd.Flags().StringVar(&health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	return cmd
}

// errKernel says that the kernel is not what the settings insist on.
var errKernel = errors.New("the kernel is not what the settings insist on")

func run(file, dir, health string, log *slog.Logger) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // without the file there are no settings
	}
	s, err := Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	m := machine{root}
	var faults []report.Fault
	for _, step := range Plan(s, m.read) {
		if step.Note != "" {
			log.Info(step.Note)
			continue
		}
		fault := m.carryOut(step)
		if fault == "" {
			log.Info("set", "file", step.File, "value", step.Value)
			continue
		}
		f := report.Fault{Severity: report.Warning, Code: step.code(), Path: step.Setting, Detail: fault, Hint: step.Hint}
		if step.Essential {
			f.Severity, err = report.Error, errKernel
		}
		log.Error("not set", "fault", f.String())
		faults = append(faults, f)
	}
	return errors.Join(err, healthfile.WriteTo(health, "kernel-settings", faults))
}
