package containerservice

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
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// Bounds of what callers may do.
const (
	patience    = time.Minute // for the next piece of what a caller sends, and for him to take an answer
	maxSessions = 64          // programs under way at a time
	maxDebug    = 4           // debug containers at a time, and images that are being loaded
)

// A service answers requests, side by side.
type service struct {
	units   units
	runtime *runtime
	log     *slog.Logger
	idle    time.Duration

	active   atomic.Int64
	sessions atomic.Int64
	debug    atomic.Int64
	tidied   sync.Once
}

// serve answers those who connect to l until nobody has for a while and nothing
// goes on, or ctx ends.
func (s *service) serve(ctx context.Context, l *net.UnixListener) error {
	var work sync.WaitGroup
	defer work.Wait()
	run, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		if err := l.SetDeadline(time.Now().Add(s.idle)); err != nil {
			return ending(ctx, err)
		}
		c, err := l.AcceptUnix()
		if errors.Is(err, os.ErrDeadlineExceeded) && s.active.Load() > 0 {
			continue
		}
		if err != nil {
			return ending(ctx, err)
		}
		s.active.Add(1)
		work.Go(func() {
			defer s.active.Add(-1)
			defer c.Close()
			if err := s.answer(run, c); err != nil && run.Err() == nil {
				s.log.Warn("request failed", "error", err)
			}
		})
	}
}

// ending returns nil if err is what ends the program as it should.
func ending(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("wait for requests: %w", err)
}

// A dialogue is a connection and the request that came over it.
type dialogue struct {
	conn    *net.UnixConn
	in      *bufio.Reader
	request containers.Request
}

// answer deals with one connection.
func (s *service) answer(ctx context.Context, c *net.UnixConn) error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	d := &dialogue{conn: c, in: bufio.NewReaderSize(c, containers.MaxLine)}
	line, err := d.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) == 0 {
		return nil // somebody wanted to know whether anybody is there
	}
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := json.Unmarshal(line, &d.request); err != nil {
		return d.refuse(refusal(containers.Invalid, "the request is not understood: %v", err))
	}
	operation := map[containers.Operation]func(context.Context, *dialogue) error{
		containers.List: s.list, containers.Start: s.control, containers.Stop: s.control, containers.Restart: s.control,
		containers.Pull: s.pull, containers.Load: s.load, containers.Exec: s.exec, containers.Launch: s.launch,
	}[d.request.Operation]
	if operation == nil {
		return d.refuse(refusal(containers.Invalid, "operation %.40q is not known", d.request.Operation))
	}
	if err := operation(ctx, d); err != nil {
		return d.refuse(err)
	}
	return nil
}

func refusal(code containers.Code, format string, args ...any) *containers.Refusal {
	return &containers.Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// refuse answers with err. It returns what is no fault of the request's.
func (d *dialogue) refuse(err error) error {
	r, ok := errors.AsType[*containers.Refusal](err)
	if !ok {
		r = &containers.Refusal{Code: containers.Failure, Detail: err.Error()}
		switch {
		case errors.Is(err, hostcontainerd.ErrNoContainer):
			r.Code = containers.Unknown
		case errors.Is(err, hostcontainerd.ErrNotRunning):
			r.Code = containers.NotRunning
		}
	}
	sent := d.say(containers.Answer{Code: r.Code, Detail: r.Detail, Hint: r.Hint})
	if r.Code == containers.Failure {
		return err
	}
	return sent
}

// say sends a line.
func (d *dialogue) say(a containers.Answer) error {
	if err := d.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return json.NewEncoder(d.conn).Encode(a)
}

// whileThere returns a context that ends when the caller goes away. Nothing more
// may come from him.
func (d *dialogue) whileThere(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	_ = d.conn.SetReadDeadline(time.Time{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = d.in.ReadByte()
		cancel()
	}()
	return ctx, func() {
		cancel()
		_ = d.conn.SetReadDeadline(time.Unix(1, 0))
		<-gone
	}
}
