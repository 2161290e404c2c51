package updater

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
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
)

// Bounds of what callers may do.
const (
	maxRequest = 64 << 10
	maxBundle  = 16 << 30
	patience   = time.Minute // for the next piece of what a caller sends
)

var (
	errCancelled = errors.New("it was cancelled")
	errStopped   = errors.New("the updater was stopped; what was written stays for the next time")
)

// A service answers requests on a socket. One action goes on at a time.
type service struct {
	node     node
	log      *slog.Logger
	idle     time.Duration
	group    int
	download download.Options

	work sync.WaitGroup

	mu     sync.Mutex              // guards cancel
	cancel context.CancelCauseFunc // of the action that goes on, or nil
}

// serve answers until nobody has asked for a while and nothing goes on, or ctx
// ends.
func (s *service) serve(ctx context.Context, l *net.UnixListener) error {
	defer s.work.Wait()
	run, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(errStopped)
	defer context.AfterFunc(ctx, func() { stop(errStopped); _ = l.Close() })()
	for {
		if err := l.SetDeadline(time.Now().Add(s.idle)); err != nil {
			return ending(ctx, err)
		}
		c, err := l.AcceptUnix()
		if errors.Is(err, os.ErrDeadlineExceeded) && s.busy() {
			continue
		}
		if err != nil {
			return ending(ctx, err)
		}
		s.work.Go(func() {
			defer c.Close()
			if err := s.answer(run, c); err != nil {
				s.log.Warn("request failed", "err", err)
			}
		})
	}
}

func ending(ctx context.Context, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("wait for requests: %w", err)
}

func (s *service) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancel != nil
}

// answer deals with one connection. The answer goes out when it is clear whether the
// action begins, which is before it ends.
func (s *service) answer(ctx context.Context, c *net.UnixConn) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(c, maxRequest)
	line, err := in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) == 0 {
		return nil // somebody wanted to know whether anybody is there
	}
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var r updater.Request
	if err := json.Unmarshal(line, &r); err != nil {
		return reply(c, refuse(updater.Invalid, "the request is not understood: %v", err))
	}
	if r.Action == updater.Cancel {
		return reply(c, s.stop(r))
	}
	run, release, err := s.begin(ctx)
	if err != nil {
		return reply(c, err)
	}
	if r.DryRun {
		p, err := s.foresee(run, r)
		release()
		return answerWith(c, updater.Answer{Plan: p}, err)
	}
	e, err := s.ready(r)
	if err != nil {
		release()
		return reply(c, err)
	}
	bundle, err := s.spool(run, e, c, in, r)
	if err != nil {
		release()
		return errors.Join(reply(c, err), e.close())
	}
	told := reply(c, nil)
	_ = e.run(run, r, bundle) // it is in the status and in the log
	release()
	return errors.Join(told, e.close())
}

// begin makes the caller the one that does something.
func (s *service) begin(ctx context.Context) (context.Context, func(), error) {
	run, cancel := context.WithCancelCause(ctx)
	if !s.reserve(cancel) {
		return nil, nil, busyRefusal()
	}
	unlock, err := s.lock(run)
	if err != nil {
		s.reserve(nil)
		cancel(nil)
		return nil, nil, err
	}
	return run, func() {
		s.reserve(nil)
		cancel(nil)
		if err := unlock(); err != nil {
			s.log.Warn("lock not given back", "err", err)
		}
	}, nil
}

// reserve notes what ends the action that goes on, or with nil that none does. It
// reports whether that can be: one action ends before the next.
func (s *service) reserve(cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil && cancel != nil {
		return false
	}
	s.cancel = cancel
	return true
}

// brief is how long another process may take that only looks what became of an
// update, after a boot.
const brief = 20 * time.Second

// lock takes the lock of the updater. It waits for what is brief.
func (s *service) lock(ctx context.Context) (unlock func() error, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, brief, busyRefusal())
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		unlock, err := updater.TakeLock(s.node.lock)
		if !errors.Is(err, updater.ErrBusy) {
			return unlock, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func busyRefusal() error {
	f := refuse(updater.Busy, "another action goes on")
	f.hint = "wait for its end, or cancel it"
	return f
}

// stop ends what goes on.
func (s *service) stop(r updater.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return refuse(updater.NotAllowed, "nothing goes on that could be cancelled")
	}
	s.log.Info("action cancelled", "actor", r.Actor)
	s.cancel(errCancelled)
	return nil
}

// ready returns an engine that may do what r asks for.
func (s *service) ready(r updater.Request) (*engine, error) {
	e, err := newEngine(s.node, s.group, s.log)
	if err != nil {
		return nil, err
	}
	e.download = s.download
	if err := e.see(); err != nil { // what the slots are like decides what may be done
		return nil, errors.Join(err, e.close())
	}
	if f := e.allow(r); f != nil {
		return nil, errors.Join(f, e.close())
	}
	return e, nil
}

// foresee returns what r would do.
func (s *service) foresee(ctx context.Context, r updater.Request) (_ *updater.Plan, err error) {
	if r.BundleSize != 0 {
		return nil, refuse(updater.Invalid, "a dry run takes no bundle")
	}
	shadow, drop, err := s.node.shadowed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	e, err := newEngine(shadow, s.group, s.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	e.download = s.download
	return e.plan(ctx, r, "")
}

// spool takes the bundle that follows a request. It returns the name of its file, or
// nothing.
func (s *service) spool(ctx context.Context, e *engine, c *net.UnixConn, in io.Reader, r updater.Request) (_ string, err error) {
	if r.BundleSize == 0 {
		return "", nil
	}
	if r.BundleSize < 0 || r.BundleSize > maxBundle {
		return "", refuse(updater.Invalid, "a bundle of %d bytes, want 1 to %d", r.BundleSize, int64(maxBundle))
	}
	if r.Action != updater.Refresh && r.Action != updater.Prepare && r.Action != updater.Apply {
		return "", refuse(updater.Invalid, "%s takes no bundle", r.Action)
	}
	if err := os.MkdirAll(e.node.data, 0o700); err != nil {
		return "", err
	}
	name := filepath.Join(e.node.data, bundleName)
	if err := errors.Join(removeOld(name), room(e.node.data, r.BundleSize)); err != nil {
		return "", err
	}
	f, err := os.OpenFile(name+partSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name+partSuffix))
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	_, err = io.CopyN(f, &patient{c, in}, r.BundleSize)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("take the bundle: %w", err)
	}
	return name, os.Rename(name+partSuffix, name)
}

func removeOld(name string) error {
	err := os.Remove(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// A patient reader waits for each piece, and not for all of them together.
type patient struct {
	c *net.UnixConn
	r io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// reply answers, with err as the reason why nothing is begun.
func reply(c net.Conn, err error) error { return answerWith(c, updater.Answer{Begun: true}, err) }

// answerWith answers with a, unless there is an err.
func answerWith(c net.Conn, a updater.Answer, err error) error {
	if err != nil {
		a = updater.Answer{Code: updater.Failed, Detail: err.Error()}
		if f, ok := errors.AsType[*refusal](err); ok {
			a.Code, a.Detail, a.Hint = f.code, f.detail, f.hint
		}
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return json.NewEncoder(c).Encode(a)
}
