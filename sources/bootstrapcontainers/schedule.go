package bootstrapcontainers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/bootentry"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// An entry is a container with the boots that it runs on.
type entry struct {
	hostcontainerd.Definition
	bootentry.Entry

	After   []string `toml:"after"`   // names of those that end before it starts
	Timeout string   `toml:"timeout"` // none when empty
}

// An engine runs containers.
type engine interface {
	Start(ctx context.Context, d hostcontainerd.Definition) error
	Wait(ctx context.Context, id string) (uint32, error)
	Stop(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
}

// A schedule runs entries.
type schedule struct {
	engine engine
	client string // program of the API client
	ran    string // directory with a file for each that was started since the node was
	log    *slog.Logger
}

// An outcome is how an entry ended.
type outcome struct {
	index  int
	err    error
	faults []report.Fault // when err is nil
}

// run runs the entries and returns what went wrong. The error is that of the first
// essential entry that failed. Nothing is started any more from then on; what runs
// is waited for.
func (s *schedule) run(ctx context.Context, list []entry) (faults []report.Fault, err error) {
	state := make([]progress, len(list))
	done := make(chan outcome)
	for running := 0; ; {
		if err == nil {
			for _, i := range ready(list, state) {
				state[i] = started
				running++
				go func() { done <- s.one(ctx, i, list[i]) }()
			}
		}
		if running == 0 {
			break
		}
		o := <-done
		running--
		state[o.index] = ended
		e := list[o.index]
		faults = append(faults, o.faults...)
		if o.err != nil {
			s.log.Error("container failed", "container", e.Name, "essential", e.Essential, "error", o.err)
			faults = append(faults, e.Fault(group, e.Name, o.err))
			if e.Essential && err == nil {
				err = fmt.Errorf("bootstrap container %s: essential container failed", e.Name)
			}
		}
	}
	left, leftErr := s.left(list, state, err)
	faults = append(faults, left...)
	slices.SortStableFunc(faults, func(a, b report.Fault) int { return strings.Compare(a.Path, b.Path) })
	return faults, errors.Join(err, leftErr)
}

// progress is how far an entry is.
type progress int

const (
	waiting progress = iota
	started
	ended
)

// ready returns the entries that wait for nothing. An entry that runs after one
// that there is not, or that is off, does not wait for it.
func ready(list []entry, state []progress) []int {
	open := map[string]bool{}
	for i, e := range list {
		open[e.Name] = state[i] != ended
	}
	var at []int
	for i, e := range list {
		if state[i] == waiting && !slices.ContainsFunc(e.After, func(name string) bool { return open[name] }) {
			at = append(at, i)
		}
	}
	return at
}

// left returns what is wrong with entries that were never started: they wait for
// one another, or an essential one failed before.
func (s *schedule) left(list []entry, state []progress, failed error) (faults []report.Fault, err error) {
	for i, e := range list {
		if state[i] != waiting {
			continue
		}
		cause := errors.New("not started, since an essential container failed before")
		if failed == nil {
			cause = errors.New("not started, since it is to run after containers that are to run after it: " + strings.Join(e.After, ", "))
			if e.Essential {
				err = errors.Join(err, fmt.Errorf("bootstrap container %s: essential container was not started", e.Name))
			}
		}
		s.log.Error("container was not started", "container", e.Name, "error", cause)
		faults = append(faults, e.Fault(group, e.Name, cause))
	}
	return faults, err
}

// one runs the entry e.
func (s *schedule) one(ctx context.Context, index int, e entry) outcome {
	fresh, err := s.mark(e.Name)
	if err != nil {
		return outcome{index: index, err: err}
	}
	if !fresh {
		s.log.Info("container has run since the node was started", "container", e.Name)
		return outcome{index: index}
	}
	if err := s.toEnd(ctx, e); err != nil {
		return outcome{index: index, err: err}
	}
	s.log.Info("container is done", "container", e.Name)
	return outcome{index: index, faults: e.Done(ctx, s.client, group, e.Name, s.log)}
}

// mark notes that the container called name runs, and reports whether it is the
// first time since the node was started.
func (s *schedule) mark(name string) (fresh bool, err error) {
	f, err := os.OpenFile(filepath.Join(s.ran, name+".ran"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// toEnd starts the container, waits until it has ended and removes it.
func (s *schedule) toEnd(ctx context.Context, e entry) (err error) {
	limit, err := e.limit()
	if err != nil {
		return err
	}
	timed := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		timed, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	defer func() {
		after := context.WithoutCancel(ctx)
		if timed.Err() != nil {
			err = errors.Join(s.engine.Stop(after, e.ID()), err)
			if ctx.Err() == nil {
				err = fmt.Errorf("not done within %s: %w", limit, err)
			}
		}
		if err := s.engine.Remove(after, e.ID()); err != nil {
			s.log.Warn("what is left of the container cannot be removed", "container", e.Name, "error", err)
		}
	}()
	if err := s.engine.Start(timed, e.Definition); err != nil {
		return err
	}
	code, err := s.engine.Wait(timed, e.ID())
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit status %d", code)
	}
	return nil
}

func (e entry) limit() (time.Duration, error) {
	if e.Timeout == "" {
		return 0, nil
	}
	limit, err := time.ParseDuration(e.Timeout)
	if err != nil || limit <= 0 {
		return 0, fmt.Errorf("timeout %q is no time", e.Timeout)
	}
	return limit, nil
}
