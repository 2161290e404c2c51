package server

import (
	"context"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/api/problem"
)

// A Power reboots the node and switches it off.
type Power interface {
	// Prepare asks whether a can be carried out, and returns what does that.
	Prepare(ctx context.Context, a power.Action, reason string) (carry func() error, err error)
}

// reboot answers POST /actions/reboot.
func (s *Server) reboot(c *call) error { return s.end(c, power.Reboot) }

// shutdown answers POST /actions/shutdown.
func (s *Server) shutdown(c *call) error { return s.end(c, power.Shutdown) }

// end ends the node, after the answer.
func (s *Server) end(c *call, a power.Action) error {
	if s.opt.Power == nil {
		return problem.New(problem.NoPower, "there is no service here that could carry out a %s", a).
			WithHint("the daemon runs without a power service, as in a sandbox")
	}
	carry, err := s.opt.Power.Prepare(c.lasting(), a, "by "+c.peer.name)
	if err != nil {
		s.opt.Log.Error("no power service", "action", a, "err", err)
		return problem.New(problem.NoPower, "%v", err)
	}
	c.afterwards(func() {
		if err := carry(); err != nil {
			s.opt.Log.Error("action failed after it was answered", "action", a, "err", err)
		}
	})
	return c.done()
}
