package power

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/bulkhead-os/bulkhead/api/power"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
)

// targets are the units that carry actions out.
var targets = map[power.Action]string{
	power.Reboot: "reboot.target", power.Shutdown: "poweroff.target",
	power.Reset: "reboot.target", power.ResetSettings: "reboot.target",
}

// A manager is what runs the node.
type manager interface {
	// Ready returns why target cannot be started now, or nil.
	Ready(ctx context.Context, target string) error
	// Start begins to start target, which ends everything else.
	Start(ctx context.Context, target string) error
}

// A server carries requests out, one at a time: the first to go ahead is the
// last.
type server struct {
	manager manager
	log     *slog.Logger
	idle    time.Duration
	private string // where PRIVATE is mounted, which keeps the mark of a reset
}

// serve answers those who connect to l until nobody has for a while, or ctx
// ends.
func (s *server) serve(ctx context.Context, l *net.UnixListener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		if err := l.SetDeadline(time.Now().Add(s.idle)); err != nil {
			return s.ending(ctx, err)
		}
		c, err := l.AcceptUnix()
		if err != nil {
			return s.ending(ctx, err)
		}
		if err := s.answer(ctx, c); err != nil {
			s.log.Warn("request failed", "err", err)
		}
		c.Close()
	}
}

// ending returns nil if err is what ends the program as it should.
func (s *server) ending(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("wait for requests: %w", err)
}

// answer deals with one connection.
func (s *server) answer(ctx context.Context, c *net.UnixConn) error {
	ctx, cancel := context.WithTimeout(ctx, power.Patience)
	defer cancel()
	if err := c.SetDeadline(time.Now().Add(power.Patience)); err != nil {
		return err
	}
	uid, err := unixsocket.PeerUID(c)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(io.LimitReader(c, power.MaxLine))
	var r power.Request
	if err := read(lines, &r); err != nil {
		return reply(c, fmt.Errorf("read the request: %w", err))
	}
	target, known := targets[r.Action]
	if !known {
		return reply(c, fmt.Errorf("action %.40q is not known, want %s, %s, %s or %s", r.Action, power.Reboot, power.Shutdown, power.Reset, power.ResetSettings))
	}
	if err := s.ready(ctx, r.Action, target); err != nil {
		return reply(c, err)
	}
	if err := reply(c, nil); err != nil {
		return err
	}
	var ahead power.GoAhead
	switch err := read(lines, &ahead); {
	case errors.Is(err, io.EOF):
		s.log.Info("request taken back", "action", r.Action, "uid", uid)
		return nil
	case err != nil || !ahead.Go:
		return reply(c, errors.New("what follows the request is not the word to go ahead"))
	}
	s.log.Warn("the node ends", "action", r.Action, "uid", uid, "reason", r.Reason)
	return reply(c, s.start(ctx, r, target)) // the point of commitment
}

// read reads a line into v.
func read(lines *bufio.Reader, v any) error {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// reply answers, with err as the reason why not. It returns err, too.
func reply(c net.Conn, err error) error {
	a := power.Answer{OK: err == nil}
	if err != nil {
		a.Detail = err.Error()
	}
	return errors.Join(err, json.NewEncoder(c).Encode(a))
}
