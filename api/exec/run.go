package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Options are what a caller runs, and with what.
type Options struct {
	Initialize

	Stdin   io.Reader // none: no input
	Stdout  io.Writer // gets all output
	Resized <-chan Size
}

// A LostError says that a session ended before its program.
type LostError struct{ Reason string }

func (e *LostError) Error() string { return e.Reason }

// Run runs a program over the API that api sends requests to, at the path and
// query uri, and returns its exit status. When ctx ends the program does.
//
// What reads Stdin goes on when Run has returned, until it is given something:
// reading a terminal or a pipe cannot be taken back.
func Run(ctx context.Context, api http.RoundTripper, uri string, o Options) (int, error) {
	c := &caller{options: o, times: UsualTimes, room: make(chan struct{}, 1)}
	conn, _, err := websocket.Dial(ctx, "ws://localhost"+uri, &websocket.DialOptions{
		HTTPClient:     &http.Client{Transport: api},
		OnPingReceived: func(context.Context, []byte) bool { c.heard(); return true },
		OnPongReceived: func(context.Context, []byte) { c.heard() },
	})
	if err != nil {
		return 0, err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(MaxMessage)
	c.conn = conn
	c.heard()
	return c.run(ctx)
}

// A caller is the side of a session that wants something run.
type caller struct {
	options Options
	conn    *websocket.Conn
	times   Times
	last    atomic.Int64 // when something was heard, in nanoseconds
	busy    atomic.Bool  // output is being written, so that nothing is heard

	mu   sync.Mutex    // guards most
	most uint64        // so many messages of input may be sent, all in all
	room chan struct{} // has a value when most has grown
}

func (c *caller) heard() { c.last.Store(time.Now().UnixNano()) }

func (c *caller) run(ctx context.Context) (int, error) {
	if err := c.conn.Write(ctx, websocket.MessageText, message{initialize: &c.options.Initialize}.text()); err != nil {
		return 0, err
	}
	// A context that ends while something is written breaks the connection. It is
	// closed first, so that the other side hears why.
	open, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	defer c.conn.CloseNow()
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close(closeGoingAway, "interrupted") })()
	if c.options.Stdin != nil {
		go c.send(open)
	} else if err := c.complete(open); err != nil {
		return 0, err
	}
	work.Go(func() { c.resize(open) })
	silent := make(chan struct{})
	work.Go(func() { c.beat(open, silent) })
	status, err := c.receive(open)
	select {
	case <-silent:
		return 0, &LostError{fmt.Sprintf("the node says nothing any more, for %s", c.times.Silent)}
	default:
	}
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return status, err
}

func (c *caller) complete(ctx context.Context) error {
	return c.conn.Write(ctx, websocket.MessageText, message{complete: true}.text())
}

// receive takes what comes until the end.
func (c *caller) receive(ctx context.Context) (int, error) {
	for {
		kind, data, err := c.conn.Read(ctx)
		if err != nil {
			return ending(err)
		}
		c.heard()
		if kind == websocket.MessageBinary {
			c.busy.Store(true)
			_, err := c.options.Stdout.Write(data)
			c.heard()
			c.busy.Store(false)
			if err != nil {
				return 0, fmt.Errorf("write the output: %w", err)
			}
			continue
		}
		m, err := parse(data)
		if err != nil || m.capacity == nil {
			return 0, fmt.Errorf("the node sends %.60q, which is not understood", data)
		}
		c.allow(*m.capacity)
	}
}

// ending returns what the end of a connection means.
func ending(err error) (int, error) {
	e, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		return 0, &LostError{"the connection to the node is lost: " + err.Error()}
	}
	if e.Code != closeNormal {
		return 0, &LostError{e.Reason}
	}
	status, err := strconv.Atoi(e.Reason)
	if err != nil {
		return 0, &LostError{fmt.Sprintf("the node does not say how the program has ended, but %q", e.Reason)}
	}
	return status, nil
}

func (c *caller) allow(now capacity) {
	c.mu.Lock()
	c.most = now.MaxOutstanding + now.Written
	c.mu.Unlock()
	select {
	case c.room <- struct{}{}:
	default:
	}
}

func (c *caller) allowed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// send sends input as the other side has room. The end of the session ends it,
// the next time that there is input.
func (c *caller) send(ctx context.Context) {
	buffer := make([]byte, MaxOutput)
	for sent := uint64(0); ; sent++ {
		n, err := c.options.Stdin.Read(buffer)
		if n > 0 {
			for sent >= c.allowed() {
				select {
				case <-ctx.Done():
					return
				case <-c.room:
				}
			}
			if c.conn.Write(ctx, websocket.MessageBinary, buffer[:n]) != nil {
				return // what receives knows why
			}
		}
		if err != nil {
			_ = c.complete(ctx)
			return
		}
	}
}

func (c *caller) resize(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case size := <-c.options.Resized:
			_ = c.conn.Write(ctx, websocket.MessageText, message{winch: &size}.text())
		}
	}
}

// beat shows the other side that this one is there, and closes silent and the
// connection when the other is not.
func (c *caller) beat(ctx context.Context, silent chan<- struct{}) {
	tick := time.NewTicker(c.times.Ping)
	defer tick.Stop()
	var pings sync.WaitGroup
	defer pings.Wait()
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !c.busy.Load() && time.Since(time.Unix(0, c.last.Load())) > c.times.Silent {
			close(silent)
			_ = c.conn.CloseNow()
			return
		}
		select {
		case <-answered:
			pings.Go(func() {
				_ = c.conn.Ping(ctx)
				answered <- struct{}{}
			})
		default:
		}
	}
}
