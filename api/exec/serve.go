package exec

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// A Process is a program that runs in a container. Write waits until the input is
// on its way, Read gives the output until its end.
type Process interface {
	io.ReadWriter
	// CloseInput ends the input.
	CloseInput() error
	// Resize gives the terminal another size.
	Resize(Size) error
	// Wait returns the exit status. It is called when the output has ended.
	Wait() (int, error)
	// Close ends the program if it has not ended.
	Close() error
}

// A Start starts what a caller wants. The text of its error is told to him.
type Start func(context.Context, Initialize) (Process, error)

// Accept makes a WebSocket of a request.
func Accept(w http.ResponseWriter, r *http.Request) (*Server, error) {
	s := &Server{times: UsualTimes, room: newRoom(maxPending)}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OnPingReceived: func(context.Context, []byte) bool { s.heard(); return true },
		OnPongReceived: func(context.Context, []byte) { s.heard() },
	})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(MaxMessage)
	s.conn = conn
	return s, nil
}

// maxPending bounds what is kept of a caller's input. One that sends no more than
// 4096 bytes in a message, as the protocol's own client, does not come to it.
const maxPending = Window * 4096

// A Server is the side of a session that runs the program.
type Server struct {
	conn  *websocket.Conn
	times Times
	last  atomic.Int64 // when something was heard, in nanoseconds
	room  *room        // for input

	process Process
	input   chan []byte
	ended   bool // there is no more input; the reader's
}

// A Result says how a session has ended.
type Result struct {
	Initialize *Initialize // nil when the caller did not get so far
	Exited     bool        // Status is that of the program
	Status     int
	Err        error // why it ended otherwise
}

func (s *Server) heard() { s.last.Store(time.Now().UnixNano()) }

// errLeft is how a session ends whose caller goes away.
var errLeft = errors.New("the caller has left")

// A closing is how a session ends by the will of this side.
type closing struct {
	code   websocket.StatusCode
	reason string
}

func (c *closing) Error() string { return c.reason }

// Serve runs what the caller asks for until that or the session ends. When ctx
// ends, the program does, too. Begun is called when the program runs.
func (s *Server) Serve(ctx context.Context, start Start, begun func(Initialize)) Result {
	var r Result
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// What reads the connection goes on until the close frame of the other side.
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.heard()
	init, err := s.first(ctx, reading)
	if err != nil {
		s.close(err)
		r.Err = reasonOf(err)
		return r
	}
	r.Initialize = init
	if s.process, err = start(ctx, *init); err != nil {
		s.close(&closing{closeFailed, err.Error()})
		r.Err = err
		return r
	}
	begun(*init)
	r.Status, err = s.run(ctx, cancel, reading)
	r.Exited, r.Err = err == nil, reasonOf(err)
	return r
}

func reasonOf(err error) error {
	if _, ok := errors.AsType[*closing](err); ok || err == nil {
		return err
	}
	return errLeft
}

// close tells the caller how the session ends. Whoever left does not hear it.
func (s *Server) close(err error) {
	if c, ok := errors.AsType[*closing](err); ok {
		_ = s.conn.Close(c.code, shorten(c.reason))
		return
	}
	_ = s.conn.CloseNow()
}

// first waits for what the caller wants.
func (s *Server) first(ctx, reading context.Context) (*Initialize, error) {
	reading, cancel := context.WithTimeout(reading, s.times.First)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	for {
		kind, data, err := s.conn.Read(reading)
		if err != nil {
			return nil, err
		}
		if kind == websocket.MessageBinary {
			return nil, &closing{closePolicy, "data before Initialize"}
		}
		m, err := parse(data)
		switch {
		case err != nil:
			return nil, &closing{closeInvalid, "invalid message: " + err.Error()}
		case m.complete:
			return nil, &closing{closePolicy, "ContentComplete before Initialize"}
		case m.winch != nil: // of a terminal that is not there yet
			continue
		case m.initialize == nil:
			return nil, &closing{closePolicy, "the message is not for this side"}
		}
		if err := m.initialize.check(); err != nil {
			return nil, &closing{closePolicy, err.Error()}
		}
		return m.initialize, nil
	}
}

// run carries input and output until the program has ended, or something else
// ends the session, which is the error then.
func (s *Server) run(ctx context.Context, cancel context.CancelCauseFunc, reading context.Context) (int, error) {
	s.input = make(chan []byte, Window)
	var work sync.WaitGroup
	exited := make(chan int, 1)
	work.Go(func() { cancel(s.read(ctx, reading)) })
	work.Go(func() {
		if err := s.feed(ctx, reading); err != nil {
			cancel(err)
		}
	})
	work.Go(func() {
		status, err := s.output(reading)
		if err != nil {
			cancel(err)
			return
		}
		exited <- status
		cancel(nil)
	})
	work.Go(func() { s.beat(ctx, reading, cancel) })
	<-ctx.Done()
	var status int
	err := context.Cause(ctx)
	select {
	case status = <-exited:
		err = nil
		s.close(&closing{closeNormal, strconv.Itoa(status)})
	default:
		_, ours := errors.AsType[*closing](err)
		if !ours && errors.Is(err, context.Canceled) { // by whoever called Serve
			err = &closing{closeGoingAway, "the API of the node is ending"}
		}
		// The program first: its output is what keeps the others waiting.
		_ = s.process.Close()
		s.close(err)
	}
	_ = s.process.Close()
	_ = s.conn.CloseNow()
	work.Wait()
	return status, err
}

// read takes messages until the connection ends.
func (s *Server) read(ctx, reading context.Context) error {
	for {
		kind, data, err := s.conn.Read(reading)
		if err != nil {
			return err
		}
		s.heard()
		if ctx.Err() != nil { // what comes before the close frame
			continue
		}
		if kind == websocket.MessageBinary {
			err = s.take(ctx, data)
		} else {
			err = s.obey(data)
		}
		if err != nil {
			return err
		}
	}
}

// take queues input. Too much of it waits in the connection.
func (s *Server) take(ctx context.Context, data []byte) error {
	if s.ended {
		return nil
	}
	s.room.take(ctx, len(data))
	select {
	case s.input <- data:
		return nil
	default:
		return &closing{closeSize, "write buffer full; obey capacity updates"}
	}
}

// obey carries a message out.
func (s *Server) obey(data []byte) error {
	m, err := parse(data)
	switch {
	case err != nil:
		return &closing{closeInvalid, "invalid message: " + err.Error()}
	case m.initialize != nil:
		return &closing{closePolicy, "a second Initialize"}
	case m.capacity != nil:
		return &closing{closePolicy, "the message is not for this side"}
	case m.winch != nil:
		_ = s.process.Resize(*m.winch) // it may have ended
	case !s.ended:
		s.ended = true
		close(s.input)
	}
	return nil
}

// feed passes input on, and says when there is room for more. What is written when
// its context ends breaks the connection: that context is the connection's.
func (s *Server) feed(ctx, writing context.Context) error {
	written := uint64(0)
	announce := func() error {
		return s.conn.Write(writing, websocket.MessageText, message{capacity: &capacity{Window, written}}.text())
	}
	if err := announce(); err != nil {
		return err
	}
	open := true
	for {
		var data []byte
		var more bool
		select {
		case <-ctx.Done():
			return nil
		case data, more = <-s.input:
		}
		if !more {
			_ = s.process.CloseInput() // it may have ended
			return nil
		}
		// A program that takes no more input has not ended by that.
		if open {
			_, err := s.process.Write(data)
			open = err == nil
		}
		s.room.give(len(data))
		if written++; written%Step == 0 {
			if err := announce(); err != nil {
				return err
			}
		}
	}
}

// output passes output on, and returns the exit status.
func (s *Server) output(ctx context.Context) (int, error) {
	buffer := make([]byte, MaxOutput)
	for {
		n, err := s.process.Read(buffer)
		if n > 0 {
			if err := s.conn.Write(ctx, websocket.MessageBinary, buffer[:n]); err != nil {
				return 0, err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, &closing{closeFailed, err.Error()}
		}
	}
	status, err := s.process.Wait()
	if err != nil {
		return 0, &closing{closeFailed, err.Error()}
	}
	return status, nil
}

// beat shows the caller that this side is there, and ends the session of one that
// is not.
func (s *Server) beat(ctx, writing context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.times.Ping)
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
		// While input waits for room nothing is read, and nothing could be heard.
		if silent := time.Since(time.Unix(0, s.last.Load())); silent > s.times.Silent && !s.room.crowded() {
			cancel(errLeft)
			return
		}
		select {
		case <-answered:
			pings.Go(func() {
				_ = s.conn.Ping(writing) // what comes of it is heard, or not
				answered <- struct{}{}
			})
		default: // the last one is still under way
		}
	}
}
