package updater

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

// every is how often a node that updates by itself looks for updates.
const every = time.Hour

// autoActor is who asks, in the history.
const autoActor = "settings.updates.auto"

// A schedule is what a node that updates by itself intends. It is forgotten when the
// node reboots.
type schedule struct {
	Look   time.Time `json:"look"`            // for updates
	Reboot time.Time `json:"reboot,omitzero"` // into the one that is staged
	Opens  time.Time `json:"opens,omitzero"`  // the window that Reboot is in
}

// A deed is what is done next.
type deed int

const (
	nothing deed = iota
	look
	write
	switchOver
)

// next returns what is to be done at now, and the schedule from then on. Waiting times
// are random, up to jitter, so that nodes do not all come at once.
func (s schedule) next(state updater.State, w *updates.Window, jitter time.Duration, now time.Time, random func(time.Duration) time.Duration) (deed, schedule, error) {
	if s.Look.IsZero() {
		s.Look = now.Add(random(jitter))
	}
	if state == updater.Staged || state == updater.Ready {
		span, err := w.At(now)
		if err != nil {
			return nothing, s, err
		}
		if w == nil {
			span.Start = s.Opens // there is one window only
			if span.Start.IsZero() {
				span.Start = now
			}
		}
		if !s.Opens.Equal(span.Start) || s.Reboot.IsZero() {
			s.Opens = span.Start
			from := span.Start
			if now.After(from) {
				from = now
			}
			s.Reboot = from.Add(min(random(jitter), max(0, span.End.Sub(from)-time.Minute)))
		}
		if span.Holds(now) && !now.Before(s.Reboot) {
			return switchOver, s, nil
		}
	}
	if !now.Before(s.Look) {
		s.Look = now.Add(every + random(jitter))
		return look, s, nil
	}
	if state == updater.Available {
		return write, s, nil
	}
	return nothing, s, nil
}

func (o *options) autoCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "auto", Short: "Update the node by itself, if the settings say so", Args: none,
		Long: `Do what is due now on a node that updates by itself: look for updates, have the
service fetch one, or reboot into it while the window of the settings is open. A timer
calls it every few minutes; it needs no privileges but access to the socket.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig(o.node.config)
			if err != nil || !c.Auto {
				return err
			}
			return o.auto(cmd.Context(), c, file)
		},
	}
	cmd.Flags().StringVar(&file, "schedule", "/run/bulkhead/updater-auto/schedule.json", "`FILE` with what is intended")
	return cmd
}

func (o *options) auto(ctx context.Context, c config, file string) error {
	client := o.client()
	if busy, err := client.Busy(); err != nil || busy {
		return err
	}
	status, err := client.Status()
	if err != nil && !errors.Is(err, updater.ErrNoStatus) {
		return err
	}
	w, err := c.hours()
	if err != nil {
		return err
	}
	var s schedule
	if data, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(data, &s) // otherwise it is made anew
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	random := func(d time.Duration) time.Duration { return rand.N(d + 1) }
	todo, s, err := s.next(status.State, w, c.jitter(), time.Now(), random)
	if err != nil {
		return err
	}
	if err := saveSchedule(file, s); err != nil {
		return err
	}
	r := updater.Request{Actor: autoActor}
	switch todo {
	case nothing:
		return nil
	case look:
		r.Action = updater.Refresh
	case write:
		r.Action = updater.Prepare
	case switchOver:
		r.Action, r.Reboot = updater.Apply, true
	}
	err = ask(ctx, client, r)
	if f, ok := errors.AsType[*refusal](err); ok && f.code == updater.Busy {
		return nil
	}
	return err
}

func saveSchedule(file string, s schedule) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(file), ".schedule")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("remember what is intended: %w", err)
	}
	return os.Rename(tmp, file)
}
