package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// tryAgain is the exit status that has the unit start a container again whatever
// its policy is: it never ran.
const tryAgain = 75

// exit is an error with an exit status.
type exit struct {
	error
	status int
}

func (e exit) ExitCode() int { return e.status }
func (e exit) Unwrap() error { return e.error }

// How long a container waits for those that run before it, and how often it looks.
const (
	afterLimit = 2 * time.Minute
	afterPoll  = 100 * time.Millisecond
)

// managerLimit bounds what the service manager is asked for.
const managerLimit = 30 * time.Second

// run starts a container.
func (p *host) run(ctx context.Context, name string) error {
	d, err := p.read(name)
	if err != nil {
		return err
	}
	if err := p.await(ctx, d.Container.After); err != nil {
		return p.failed(name, fault(name, codeWaits, "apiclient health says what is wrong with that one", "%v", err), err)
	}
	err = p.with(ctx, func(c *hostcontainerd.Client) error { return c.Start(ctx, d.build(name)) })
	if err != nil {
		return p.failed(name, startFault(name, err), err)
	}
	var before *report.Fault
	if err := p.change(name, func(s *state) {
		before = s.Fault
		*s = state{Started: time.Now(), Fault: s.Fault}
	}); err != nil {
		return err
	}
	// Restarted, since they may be from before.
	var units []string
	if before != nil {
		units = append(units, "container-settled@"+name+".timer")
	}
	if d.Container.Health != nil {
		units = append(units, "container-health@"+name+".service")
	}
	if len(units) == 0 {
		return nil
	}
	_, err = program.Run(ctx, managerLimit, append([]string{p.manager, "--no-block", "restart"}, units...)...)
	return err
}

// failed has the health of the node say why a container does not run.
func (p *host) failed(name string, f *report.Fault, err error) error {
	return exit{errors.Join(err, p.change(name, func(s *state) { *s = state{Fault: f} })), tryAgain}
}

// startFault returns what is told of err, for which a container was not started.
func startFault(name string, err error) *report.Fault {
	code, hint := codeStart, looking(name)
	_, image := errors.AsType[hostcontainerd.ImageError](err)
	switch {
	case strings.Contains(err.Error(), "no space left on device"):
		code, hint = codeFull, "remove what is not needed, or give the node a larger disk; it is tried again"
	case errors.Is(err, containernet.ErrTaken):
		code, hint = codePort, "stop what listens there, or forward another port of the node"
	case image:
		code, hint = codeImage, "look at its name, at settings.container-registry and at the registry; it is tried again"
	}
	return fault(name, code, hint, "%v", err)
}

// await waits until the containers called names run, and are healthy where they
// can say so. Those that are off are not waited for.
func (p *host) await(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, afterLimit)
	defer cancel()
	for _, name := range names {
		for {
			ready, err := p.ready(name)
			if err != nil {
				return err
			}
			if ready {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("container %s, which runs before it, has not become ready in %s", name, afterLimit)
			case <-time.After(afterPoll):
			}
		}
	}
	return nil
}

func (p *host) ready(name string) (bool, error) {
	d, err := p.read(name)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil // it is off
	}
	if err != nil {
		return false, err
	}
	s, err := p.load(name)
	return !s.Started.IsZero() && (d.Container.Health == nil || s.Healthy), err
}

// stop ends a container that runs. One that has ended by itself is none of its
// business.
func (p *host) stop(ctx context.Context, name string) error {
	return p.with(ctx, func(c *hostcontainerd.Client) error {
		runs, err := c.Running(ctx, id(name))
		if err != nil {
			return err
		}
		if runs {
			err = p.change(name, func(s *state) { s.Stopping = true })
		}
		return errors.Join(err, c.Stop(ctx, id(name)))
	})
}

// cleanUp says how a container ended. Its exit status is that of the container,
// so that the unit knows, unless somebody asked for the end.
func (p *host) cleanUp(ctx context.Context, name string) error {
	status, err := p.end(ctx, name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(p.file(name)); errors.Is(err, os.ErrNotExist) {
		p.log.Info("container is removed, and its volumes are kept", "container", name, "volumes", kept(name))
		return p.forget(name)
	}
	if status == 0 {
		return nil
	}
	return exit{fmt.Errorf("container %s has ended with exit status %d", name, status), int(status)}
}

// end removes what is left of a container, and returns the exit status that it
// ended with by itself.
func (p *host) end(ctx context.Context, name string) (status uint32, err error) {
	err = p.with(ctx, func(c *hostcontainerd.Client) error {
		code, ended, err := c.Outcome(ctx, id(name))
		if err != nil {
			p.log.Warn("it is not known how the container ended", "container", name, "error", err)
		}
		memory := ended && c.KilledForMemory(id(name))
		if ended {
			p.log.Info("container has ended", "container", name, "status", code, "out-of-memory", memory)
		}
		err = p.change(name, func(s *state) {
			if ended && !s.Stopping {
				status, s.Fault = code, endFault(name, code, memory)
			}
			if s.Stopping {
				s.Fault = nil
			}
			*s = state{Fault: s.Fault}
		})
		if ended {
			if noteErr := hostcontainerd.NoteEnd(id(name), code); noteErr != nil {
				p.log.Warn("how the container ended is not noted", "container", name, "error", noteErr)
			}
		}
		err = errors.Join(err, c.Remove(ctx, id(name)), c.Release(name))
		if tidyErr := c.TidyNode(ctx); tidyErr != nil {
			p.log.Warn("images that nothing needs stay for now", "error", tidyErr)
		}
		return err
	})
	return status, err
}

func endFault(name string, code uint32, memory bool) *report.Fault {
	if memory {
		return fault(name, codeMemory, "give it more with settings.containers."+name+".resources.memory, or find out what it needs so much for",
			"a process of it was killed because its memory, or that of the node, had come to its end; it ended with exit status %d", code)
	}
	return fault(name, codeEnded, looking(name), "it ended with exit status %d", code)
}

// settled notes that a container that had ended before runs for some time: what
// was said of it does not hold any more, and when it ends again it is started soon.
func (p *host) settled(ctx context.Context, name string) error {
	s, err := p.load(name)
	if err != nil || s.Started.IsZero() {
		return err
	}
	if err := p.change(name, func(s *state) {
		if s.Fault != nil && s.Fault.Code != codeUnhealthy {
			s.Fault = nil
		}
	}); err != nil {
		return err
	}
	_, err = program.Run(ctx, managerLimit, p.manager, "reset-failed", "container@"+name+".service")
	return err
}
