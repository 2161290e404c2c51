package bootslot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// pause is how long to wait between looks at the health of the node.
const pause = time.Second

// A health says how the node is.
type health func(context.Context) (client.Health, error)

func goodCommand(opt *options) *cobra.Command {
	var wait time.Duration
	var socket string
	var reboot bool
	cmd := opt.change("mark-good", "Keep the version that runs", none, func(s *slots.Session, _ []string) (slots.Plan, error) {
		return s.View.MarkGood()
	})
	mark := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait == 0 {
			return mark(cmd, args)
		}
		due, err := opt.onTrial()
		if err != nil || !due {
			return err
		}
		c := client.New(socket)
		err = await(cmd.Context(), c.Health, wait)
		if err == nil {
			return mark(cmd, args)
		}
		if err := opt.giveUp(cmd, err.Error()); err != nil {
			return err
		}
		if !reboot || !opt.canFallBack() {
			return err
		}
		return errors.Join(err, restart(cmd.Context()))
	}
	f := cmd.Flags()
	f.DurationVar(&wait, "await-health", 0, "wait for `TIME` until the node is healthy; without, it is taken to be")
	f.StringVar(&socket, "socket", client.DefaultSocket, "`PATH` of the socket of the settings API")
	f.BoolVar(&reboot, "or-reboot", false, "reboot when it does not become healthy, and another version is there")
	return cmd
}

// onTrial reports whether there is something to mark.
func (o *options) onTrial() (bool, error) {
	s, err := o.machine.Open(esp.Read)
	if err != nil {
		return false, err
	}
	p, err := s.View.MarkGood()
	return len(p)+len(s.View.Repair()) > 0, errors.Join(err, s.Close())
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

// await waits until the boot is complete and nothing is in error. Warnings do not
// count: a setting that a version cannot carry out is no reason to leave it.
func await(ctx context.Context, look health, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		h, err := look(ctx)
		fault := unhealthy(h, err)
		if fault == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not healthy within %s: %s", limit, fault)
		case <-time.After(pause):
		}
	}
}

// unhealthy says what keeps a node from being healthy, or nothing.
func unhealthy(h client.Health, err error) string {
	if err != nil {
		return err.Error()
	}
	if h.Status == "starting" {
		return "the boot is not complete"
	}
	var all []string
	for _, f := range h.Faults {
		if f.Severity == report.Error {
			all = append(all, f.Detail)
		}
	}
	return strings.Join(all, "; ")
}

// restart has the node reboot.
func restart(ctx context.Context) error {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("reach systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.StartUnitContext(ctx, "reboot.target", "replace-irreversibly", nil); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	return nil
}
