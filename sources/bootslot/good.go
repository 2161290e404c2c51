package bootslot

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

func goodCommand(opt *options) *cobra.Command {
	var wait, reboot bool
	var socket string
	cmd := opt.change("mark-good", "Keep the version that runs", none, func(s *slots.Session, _ []string) (slots.Plan, error) {
		return s.View.MarkGood()
	})
	mark := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !wait {
			return mark(cmd, args)
		}
		d, err := opt.due()
		if err != nil || !d.any() {
			return err
		}
		units, err := healthcheck.Connect(cmd.Context())
		if err != nil {
			return err
		}
		defer units.Close()
		p := proof{cmd: cmd, opt: opt, mark: func() error { return mark(cmd, args) }}
		p.waiter = waiter{look: client.New(socket).Health, config: opt.config, units: units, pause: pause}
		if reboot {
			p.reboot = units.Reboot
		}
		return p.run(d)
	}
	f := cmd.Flags()
	f.BoolVar(&wait, "await-health", false, "wait until the node is healthy; without, it is taken to be")
	f.StringVar(&socket, "socket", client.DefaultSocket, "`PATH` of the socket of the settings API")
	f.BoolVar(&reboot, "or-reboot", false, "reboot when it does not become healthy, and another version is there")
	return cmd
}

// A due is what a boot has to prove, or to make use of once it is proven.
type due struct {
	trial  bool // the version has to be marked good
	loader bool // the boot loader is older than that of the version
	// deadlines are those that held when the version was activated.
	deadlines healthcheck.Config
}

func (d due) any() bool { return d.trial || d.loader }

func (o *options) due() (due, error) {
	s, err := o.machine.Open(esp.Read)
	if err != nil {
		return due{}, err
	}
	p, err := s.View.MarkGood()
	d := due{trial: len(p)+len(s.View.Repair()) > 0}
	if a := s.View.Memory.Attempt; a != nil && a.Root == s.View.Boot.Root {
		d.deadlines.Boot = a.BootDeadline
	}
	d.loader = !d.trial && len(s.LoaderPlan()) > 0
	return d, errors.Join(err, s.Close())
}

// config returns what the settings want checked.
func (o *options) config() (healthcheck.Config, error) {
	root, err := os.OpenRoot(o.machine.Root)
	if err != nil {
		return healthcheck.Config{}, err
	}
	defer root.Close()
	return healthcheck.Read(root)
}

func (o *options) canFallBack() bool {
	s, err := o.machine.Open(esp.Read)
	if err != nil {
		return false
	}
	can := s.View.CanFallBack()
	return s.Close() == nil && can
}

// giveUp remembers why this boot is not a good one.
func (o *options) giveUp(cmd *cobra.Command, reason string) error {
	return o.run(cmd, func(s *slots.Session) (slots.Plan, error) { return s.View.GiveUp(reason), nil })
}

// updateLoader puts the boot loader of the running version in place, where that
// is due.
func (o *options) updateLoader(cmd *cobra.Command) (err error) {
	s, err := o.machine.Open(esp.Read)
	if err != nil {
		return err
	}
	steps := s.LoaderPlan()
	if err := s.Close(); err != nil || len(steps) == 0 {
		return err
	}
	if s, err = o.machine.Open(esp.Write); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, step := range s.LoaderPlan() {
		if err := s.CarryLoader(step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		fmt.Fprintln(cmd.ErrOrStderr(), step)
	}
	return nil
}
