// Package bootslot shows and changes which version of the system a node starts.
//
// Each command looks at the node, makes a plan that depends on nothing else, and
// carries it out; what a power cut left of an earlier one is mended first.
package bootslot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// options are what the flags of all commands say.
type options struct {
	machine slots.Machine
	health  string
	dryRun  bool
	force   bool
	reason  string
}

func (o *options) demand() slots.Demand {
	if o.force {
		return slots.Forced
	}
	return slots.Careful
}

// Command returns the program.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "boot-slot",
		Short: "Show and change which version a node starts",
		Long: `Show and change which version of the system a node starts. The names of the boot
programs on the ESP are where that is kept.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("there is no command %q", args[0]))
			}
			return usage.Mistake(errors.New("no command, want status, activate, deactivate, mark-good, mark-bad, rollback or begin"))
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args refuses all
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.PersistentFlags()
	f.StringVar(&opt.machine.Root, "root", "/", "`DIR` that has /proc and /sys in it")
	f.StringVar(&opt.machine.Private, "private", disklayout.PrivateDir, "`DIR` where PRIVATE is mounted")
	f.StringVar(&opt.machine.Disk, "disk", "", "`FILE` with an image of a disk, in place of that of the node")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	cmd.AddCommand(statusCommand(&opt), goodCommand(&opt), beginCommand(&opt))
	cmd.AddCommand(changeCommands(&opt)...)
	return cmd
}

func statusCommand(opt *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Print what both slots hold, what runs, and what is started next", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usage.Mistake(fmt.Errorf("-o %q, want text or json", output))
			}
			s, err := opt.machine.Open(esp.Read)
			if err != nil {
				return err
			}
			status := s.Status()
			if err := s.Close(); err != nil {
				return err
			}
			if output == "text" {
				_, err = fmt.Fprint(cmd.OutOrStdout(), status)
				return err
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(status)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "print as `FORM`: text or json")
	return cmd
}

func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
	}
	return nil
}

func one(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage.Mistake(fmt.Errorf("%d arguments, want one: a version", len(args)))
	}
	return nil
}

func changeCommands(opt *options) []*cobra.Command {
	all := []*cobra.Command{
		opt.change("activate VERSION", "Have the next boot try a version", one, func(s *slots.Session, args []string) (slots.Plan, error) {
			return checked(s)(s.View.Activate(args[0], now(), opt.demand()))
		}),
		opt.change("deactivate VERSION", "Take an activation back", one, func(s *slots.Session, args []string) (slots.Plan, error) {
			return s.View.Deactivate(args[0])
		}),
		opt.change("mark-bad [VERSION]", "Start a version, or what runs, only when there is nothing else", atMostOne, func(s *slots.Session, args []string) (slots.Plan, error) {
			return s.View.MarkBad(first(args), opt.reason, now(), opt.demand())
		}),
		opt.change("rollback", "Have the next boot be one of the other slot", none, func(s *slots.Session, _ []string) (slots.Plan, error) {
			return checked(s)(s.View.Rollback(opt.reason, now(), opt.demand()))
		}),
	}
	for _, cmd := range all {
		cmd.Flags().BoolVar(&opt.force, "force", false, "do it even where it is unwise")
	}
	for _, cmd := range all[2:] {
		cmd.Flags().StringVar(&opt.reason, "reason", "by hand", "`TEXT` to be remembered")
	}
	return all
}

// checked refuses a plan that gives tries to what the firmware would not start.
func checked(s *slots.Session) func(slots.Plan, error) (slots.Plan, error) {
	return func(p slots.Plan, err error) (slots.Plan, error) {
		if err != nil {
			return nil, err
		}
		for _, version := range p.Tried() {
			if err := s.Check(version); err != nil {
				return nil, err
			}
		}
		return p, nil
	}
}

func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage.Mistake(fmt.Errorf("%d arguments, want one version at most", len(args)))
	}
	return nil
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// change returns a command that carries a plan out.
func (o *options) change(use, short string, args cobra.PositionalArgs, plan func(*slots.Session, []string) (slots.Plan, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, func(s *slots.Session) (slots.Plan, error) { return plan(s, args) })
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be done")
	return cmd
}

// A planner makes a plan of what a session has seen.
type planner func(*slots.Session) (slots.Plan, error)

// run mends what is halved, makes a plan and carries it out. Steps go to standard
// error, those of a dry run to standard output. Where nothing is to be done,
// the partition is not opened for writing, of which others would be told.
func (o *options) run(cmd *cobra.Command, plan planner) error {
	repair, p, err := o.look(plan)
	switch {
	case err != nil:
		return err
	case o.dryRun:
		if len(repair) > 0 {
			p = repair // the rest depends on that
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), p)
		return err
	case len(repair)+len(p) == 0:
		return nil
	}
	return o.carryOut(plan, func(step slots.Step) { fmt.Fprintln(cmd.ErrOrStderr(), step) })
}

// look returns what is to be mended, or else the plan, and reports what is wrong.
func (o *options) look(plan planner) (repair, p slots.Plan, err error) {
	s, err := o.machine.Open(esp.Read)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if repair = s.View.Repair(); len(repair) > 0 {
		return repair, nil, nil
	}
	if p, err = plan(s); err != nil {
		return nil, nil, err
	}
	return nil, p, o.report(s)
}

func (o *options) carryOut(plan planner, done func(slots.Step)) (err error) {
	s, err := o.machine.Open(esp.Write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Carry(s.View.Repair(), done); err != nil {
		return err
	}
	p, err := plan(s)
	if err != nil {
		return err
	}
	if err := s.Carry(p, done); err != nil {
		return err
	}
	return o.report(s)
}

// report writes what is wrong with the slots to the health of the node.
func (o *options) report(s *slots.Session) error {
	if o.dryRun {
		return nil
	}
	return healthfile.WriteTo(o.health, reporter, s.View.Status().Faults)
}

// reporter is the name under which faults are reported.
const reporter = "boot-slot"

func beginCommand(opt *options) *cobra.Command {
	var trial string
	cmd := &cobra.Command{
		Use: "begin", Short: "Do what is due at the beginning of a boot", Args: none,
		Long: `Mend what a power cut left, remember what was tried in vain, have the firmware try
the loader as often as a version has tries, and report what is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := opt.begin(cmd)
			if err != nil {
				f := report.Fault{Severity: report.Warning, Code: codeSlots, Detail: err.Error(), Hint: "see the journal of boot-slot.service"}
				err = errors.Join(err, healthfile.WriteTo(opt.health, reporter, []report.Fault{f}))
			}
			// In doubt the node has to prove itself.
			d, dueErr := opt.due()
			if trial != "" && (d.any() || dueErr != nil) {
				err = errors.Join(err, os.WriteFile(trial, nil, 0o600))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&trial, "trial", "", "make `FILE` if what runs has to prove itself")
	return cmd
}

func (o *options) begin(cmd *cobra.Command) error {
	return o.run(cmd, func(s *slots.Session) (slots.Plan, error) {
		if err := s.Firmware(func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "entries of the firmware:", err) // the node boots as before
		}
		return s.View.Begin(now()), nil
	})
}

// codeSlots is of a fault that keeps the slots from being looked at.
const codeSlots report.Code = "boot-slots"
