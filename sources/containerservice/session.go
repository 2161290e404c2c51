package containerservice

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// exec runs a program in a container.
func (s *service) exec(ctx context.Context, d *dialogue) error {
	if n := s.sessions.Add(1); n > maxSessions {
		s.sessions.Add(-1)
		return refusal(containers.Busy, "%d programs run in containers already", maxSessions)
	}
	defer s.sessions.Add(-1)
	r := d.request
	if len(r.Command) == 0 {
		return refusal(containers.Invalid, "the command is empty")
	}
	c, err := s.runtime.running(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		return refusal(containers.NotRunning, "container %s: %v", r.Name, hostcontainerd.ErrNotRunning)
	}
	a, err := enter(ctx, c, r)
	if err != nil {
		return err
	}
	s.log.Info("program runs in container", "container", r.Name, "actor", r.Actor)
	return s.attend(ctx, d, a, func() error { return nil })
}

// enter runs the program in the container that has the name, of those that have
// it the one for operators.
func enter(ctx context.Context, c *hostcontainerd.Client, r containers.Request) (*hostcontainerd.Attached, error) {
	var failed error
	for _, kind := range []hostcontainerd.Kind{hostcontainerd.Host, hostcontainerd.Declared, hostcontainerd.Bootstrap} {
		a, err := c.Exec(ctx, kind.ID(r.Name), words(r.Command), sizeOf(r.Terminal))
		if err == nil || !errors.Is(err, hostcontainerd.ErrNoContainer) {
			return a, err
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, &containers.Refusal{Code: containers.Unknown, Detail: failed.Error() + ", or it is not enabled", Hint: "apiclient container list shows all"}
}

func words(command [][]byte) []string {
	var out []string
	for _, w := range command {
		out = append(out, string(w))
	}
	return out
}

func sizeOf(t *containers.Terminal) *hostcontainerd.Size {
	if t == nil {
		return nil
	}
	return &hostcontainerd.Size{Rows: t.Rows, Cols: t.Cols}
}

// launch runs a program in a container of its own.
func (s *service) launch(ctx context.Context, d *dialogue) error {
	if n := s.debug.Add(1); n > maxDebug {
		s.debug.Add(-1)
		return refusal(containers.Busy, "%d debug containers run already", maxDebug)
	}
	defer s.debug.Add(-1)
	c, err := s.forDebug(ctx)
	if err != nil {
		return err
	}
	r := d.request
	s.log.Info("debug container is started", "image", r.Image, "superpowered", r.Superpowered, "actor", r.Actor)
	a, err := c.Debug(ctx, hostcontainerd.Definition{
		Name: "debug-" + strings.ToLower(rand.Text()), Source: r.Image, Superpowered: r.Superpowered, Command: words(r.Command), Proxy: proxyOf(r.Proxy),
	}, sizeOf(r.Terminal))
	if err != nil {
		return err
	}
	// Who hears of the end finds nothing left of the container.
	return s.attend(ctx, d, a, func() error { return a.End(ctx) })
}

// forDebug returns a client, once what debug containers have left is removed.
func (s *service) forDebug(ctx context.Context) (*hostcontainerd.Client, error) {
	c, err := s.runtime.started(ctx)
	if err != nil {
		return nil, err
	}
	s.tidied.Do(func() {
		if err := c.Tidy(ctx, time.Now()); err != nil {
			s.log.Warn("what debug containers have left stays", "error", err)
		}
	})
	return c, nil
}

// load takes the image of a debug container.
func (s *service) load(ctx context.Context, d *dialogue) error {
	r := d.request
	if r.Size < 1 || r.Size > containers.MaxArchive {
		return refusal(containers.Invalid, "an archive of %d bytes, want 1 to %d", r.Size, int64(containers.MaxArchive))
	}
	if n := s.debug.Add(1); n > maxDebug {
		s.debug.Add(-1)
		return refusal(containers.Busy, "%d debug containers run already", maxDebug)
	}
	defer s.debug.Add(-1)
	c, err := s.forDebug(ctx)
	if err != nil {
		return err
	}
	s.log.Info("image is loaded", "bytes", r.Size, "actor", r.Actor)
	name, digest, err := c.Load(ctx, &exactly{&patient{d}, r.Size})
	if err != nil {
		return refusal(containers.Invalid, "%v", err)
	}
	return d.say(containers.Answer{Image: &containers.Image{Name: name, Digest: digest}, Done: true})
}

// A patient reader waits for each piece, and not for all of them together.
type patient struct{ d *dialogue }

func (p *patient) Read(b []byte) (int, error) {
	if err := p.d.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return p.d.in.Read(b)
}

// exactly gives so many bytes, and takes fewer for a fault.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(b[:min(int64(len(b)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

const (
	drain = 500 * time.Millisecond // for output that comes after the end of the program
	look  = time.Second            // between looks whether the caller is there
)

// attend carries input and output between the caller and a program until that has
// ended, or the caller is gone. Before the caller hears of the end, tidy is done.
func (s *service) attend(ctx context.Context, d *dialogue, a *hostcontainerd.Attached, tidy func() error) error {
	lasting := context.WithoutCancel(ctx)
	if err := errors.Join(d.say(containers.Answer{Done: true}), d.conn.SetDeadline(time.Time{})); err != nil {
		return errors.Join(err, a.End(lasting))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sink := containers.NewSink(d.conn, d.in)
	var work sync.WaitGroup
	work.Go(func() {
		feed(ctx, sink, a)
		cancel()
	})
	written := make(chan struct{})
	work.Go(func() {
		defer close(written)
		if _, err := io.Copy(sink, a); err != nil {
			cancel() // nobody takes it
		}
	})
	work.Go(func() { s.watch(ctx, cancel, d) })
	code, err := a.Wait(ctx)
	if ctx.Err() == nil {
		select {
		case <-written:
		case <-time.After(drain): // a program that was left behind has it open
		case <-ctx.Done():
		}
		e := containers.Exit{Status: int(code)}
		if err != nil {
			e.Fault = err.Error()
		}
		_ = a.CloseOutput() // so that nothing comes after it
		unsent := d.conn.SetWriteDeadline(time.Now().Add(patience))
		<-written
		if err := tidy(); err != nil {
			s.log.Warn("something is left of a container that has ended", "error", err)
		}
		if unsent == nil {
			_ = sink.Exit(e)
		}
	}
	cancel()
	_ = d.conn.Close()
	ended := a.End(lasting)
	work.Wait()
	return ended
}

// feed gives the program what comes for it until the caller is gone.
func feed(ctx context.Context, sink *containers.Sink, a *hostcontainerd.Attached) {
	buffer := make([]byte, 64<<10)
	for {
		in, err := sink.Next(buffer)
		if err != nil {
			return
		}
		switch {
		case in.Resize != nil:
			_ = a.Resize(ctx, hostcontainerd.Size{Rows: in.Resize.Rows, Cols: in.Resize.Cols}) // it may have ended
		case in.End:
			_ = a.CloseInput(ctx)
		default:
			_, _ = a.Write(in.Data) // a program that takes no input may still run
		}
	}
}

// watch ends the session when the caller is gone, which is not seen where input
// waits for a program that takes none.
func (s *service) watch(ctx context.Context, cancel func(), d *dialogue) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if d.left() {
			cancel()
			return
		}
	}
}

// left reports whether the other side has closed the connection.
func (d *dialogue) left() bool {
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return true
	}
	var gone bool
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, _ = unix.Poll(poll, 0)
		gone = poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return err != nil || gone
}
