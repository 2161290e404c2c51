package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

const maxHeader = 64 << 10

// patience is how long the server waits for callers.
type patience struct {
	header time.Duration // for the header of a request
	read   time.Duration // for header and body together
	write  time.Duration // from the header to the end of the answer
	idle   time.Duration // for the next request of a connection
	piece  time.Duration // for the next piece of a body that is passed on
	busy   time.Duration // for an updater, before the answer is that it is busy
	stop   time.Duration // for requests under way, when the server ends
}

var usualPatience = patience{
	header: 10 * time.Second, read: 30 * time.Second, write: 60 * time.Second, idle: 2 * time.Minute,
	piece: time.Minute, busy: 5 * time.Second, stop: 10 * time.Second,
}

// Serve answers requests from l, a Unix socket, until ctx ends; then it
// finishes the requests that are under way, ends the event streams and returns
// nil. What takes longer than ten seconds is cut off. It also has settings
// applied, and waits no longer for that when ctx ends.
//
// Who comes by one of readers, which are Unix sockets too, gets no role above
// Reader, be it root. Each socket has a limit of connections of its own, so
// that readers do not keep others out.
func (s *Server) Serve(ctx context.Context, l net.Listener, readers ...net.Listener) error {
	hs := &http.Server{
		Handler: s.Handler(), ConnContext: s.withPeer,
		ReadHeaderTimeout: s.patience.header, ReadTimeout: s.patience.read, WriteTimeout: s.patience.write, IdleTimeout: s.patience.idle,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
	var stopped sync.WaitGroup
	defer s.sessions.under.Wait()
	if s.opt.Applier != nil {
		applyCtx, end := context.WithCancel(ctx)
		var work sync.WaitGroup
		work.Go(func() { s.carryOutApplies(applyCtx) })
		work.Go(func() { s.warmApplies(applyCtx) })
		defer work.Wait()
		defer end()
	}
	if s.network != nil {
		networkCtx, end := context.WithCancel(ctx)
		var work sync.WaitGroup
		work.Go(func() { s.serveNetwork(networkCtx) })
		defer work.Wait()
		defer end()
	}
	if s.updates != nil {
		updatesCtx, end := context.WithCancel(ctx)
		var work sync.WaitGroup
		work.Go(func() { s.updates.follow(updatesCtx) })
		defer work.Wait()
		defer end()
	}
	stopped.Add(1)
	unhook := context.AfterFunc(ctx, func() {
		defer stopped.Done()
		s.stop(hs)
	})
	ended := make(chan error, 1+len(readers))
	var serving sync.WaitGroup
	serving.Go(func() { ended <- hs.Serve(newLimited(l, s.opt.Connections, Admin)) })
	for _, r := range readers {
		serving.Go(func() { ended <- hs.Serve(newLimited(r, s.opt.Connections, Reader)) })
	}
	defer serving.Wait()
	err := <-ended
	if unhook() { // not stopped by ctx: a listener broke
		return errors.Join(fmt.Errorf("serve: %w", err), hs.Close())
	}
	stopped.Wait()
	return nil
}

func (s *Server) stop(hs *http.Server) {
	s.opt.Notices.Events.Close()
	s.endStreams()
	ctx, cancel := context.WithTimeout(context.Background(), s.patience.stop)
	defer cancel()
	if err := hs.Shutdown(ctx); err != nil {
		s.opt.Log.Warn("requests were cut off", "err", err)
		if err := hs.Close(); err != nil {
			s.opt.Log.Warn("connections were not closed", "err", err)
		}
	}
}

// limited is a listener that has at most so many connections at a time. Who
// comes when there are as many gets an answer that says so, and is not left
// waiting.
type limited struct {
	net.Listener
	most    Role // that its callers get
	slots   chan struct{}
	turning chan struct{} // slots for those who get the answer
	full    []byte        // the answer
}

const (
	turnAwayAtOnce = 16
	turnAwayTime   = time.Second // for the request and the answer together
)

func newLimited(l net.Listener, n int, most Role) *limited {
	p := problem.New(problem.Busy, "there are %d connections already", n)
	body, err := json.Marshal(p)
	if err != nil { // strings and a number
		panic("server: " + err.Error())
	}
	full := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s",
		p.Status, http.StatusText(p.Status), problem.ContentType, len(body), body)
	return &limited{Listener: l, most: most, slots: make(chan struct{}, n), turning: make(chan struct{}, turnAwayAtOnce), full: []byte(full)}
}

// Accept waits for a connection for which there is room.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return wrap(c, l.slots, l.most)
		default:
		}
		select {
		case l.turning <- struct{}{}:
			go func() {
				l.turnAway(c)
				<-l.turning
			}()
		default: // too many to tell each
			_ = c.Close()
		}
	}
}

// turnAway answers c. A caller takes for an answer only what comes after its
// request, and loses it when the connection ends while it still writes, so
// that both are waited for, but not long.
func (l *limited) turnAway(c net.Conn) {
	defer c.Close()
	if c.SetDeadline(time.Now().Add(turnAwayTime)) != nil {
		return
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		return
	}
	if _, err := c.Write(l.full); err != nil {
		return
	}
	if u, ok := c.(*net.UnixConn); ok && u.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, u) // whatever it is, it is not wanted
	}
}

// A slotConn gives its slot back when it is closed.
type slotConn struct {
	*net.UnixConn
	most Role // that its caller gets
	free func()
}

func wrap(c net.Conn, slots chan struct{}, most Role) (net.Conn, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("accept: got a connection of %s, want one of a Unix socket", c.LocalAddr().Network())
	}
	return &slotConn{u, most, sync.OnceFunc(func() { <-slots })}, nil
}

// Close closes the connection.
func (c *slotConn) Close() error {
	defer c.free()
	return c.UnixConn.Close()
}
