package containers

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The frames that follow the answer to an Exec. Each is a byte that says what it
// is, the length of the rest in four bytes, the highest first, and the rest.
const (
	frameData   = 'd' // input one way, output the other way
	frameEnd    = 'e' // of the input
	frameResize = 'r' // a Terminal as JSON
	frameExit   = 'x' // an Exit as JSON; nothing follows
)

// maxFrame is the longest rest of a frame.
const maxFrame = 64 << 10

// An Exit says how a program has ended.
type Exit struct {
	Status int    `json:"status"`
	Fault  string `json:"fault,omitempty"` // why that is not known
}

// writeFrame writes one frame.
func writeFrame(w io.Writer, kind byte, rest []byte) error {
	b := make([]byte, 5, 5+len(rest))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(rest)))
	_, err := w.Write(append(b, rest...))
	return err
}

func readHead(r io.Reader) (kind byte, length int, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	length = int(binary.BigEndian.Uint32(head[1:]))
	if length > maxFrame {
		return 0, 0, fmt.Errorf("a frame has %d bytes, want at most %d", length, maxFrame)
	}
	return head[0], length, nil
}

// A Stream is a program under way, as the one who asked for it sees it.
type Stream struct {
	conn net.Conn
	in   *bufio.Reader
	left int   // of the frame that is being read
	exit *Exit // once it has come

	writing sync.Mutex // one frame after the other
}

// Write gives the program input. It waits while there is no room for it.
func (s *Stream) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += maxFrame {
		if err := s.frame(frameData, p[at:min(at+maxFrame, len(p))]); err != nil {
			return at, err
		}
	}
	return len(p), nil
}

func (s *Stream) frame(kind byte, rest []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return writeFrame(s.conn, kind, rest)
}

// CloseInput ends the input.
func (s *Stream) CloseInput() error { return s.frame(frameEnd, nil) }

// Resize gives the terminal of the program another size.
func (s *Stream) Resize(t Terminal) error {
	rest, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return s.frame(frameResize, rest)
}

// errGone is how a stream ends whose service does.
var errGone = errors.New("the container service went away")

// Read gives output until its end.
func (s *Stream) Read(p []byte) (int, error) {
	for s.left == 0 {
		if s.exit != nil {
			return 0, io.EOF
		}
		kind, length, err := readHead(s.in)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return 0, errGone
		case err != nil:
			return 0, err
		case kind == frameData:
			s.left = length
		case kind == frameExit:
			rest := make([]byte, length)
			if _, err := io.ReadFull(s.in, rest); err != nil {
				return 0, errGone
			}
			var e Exit
			if err := json.Unmarshal(rest, &e); err != nil {
				return 0, err
			}
			s.exit = &e
		default:
			return 0, fmt.Errorf("the container service sends a frame %q", kind)
		}
	}
	n, err := s.in.Read(p[:min(len(p), s.left)])
	s.left -= n
	if errors.Is(err, io.EOF) {
		err = errGone
	}
	return n, err
}

// Wait returns the exit status, once Read has returned io.EOF.
func (s *Stream) Wait() (int, error) {
	switch {
	case s.exit == nil:
		return 0, errGone
	case s.exit.Fault != "":
		return 0, errors.New(s.exit.Fault)
	}
	return s.exit.Status, nil
}

// Close ends the program, if it has not ended.
func (s *Stream) Close() error { return s.conn.Close() }

// A Sink is a program under way, as the service sees it.
type Sink struct {
	conn    net.Conn
	in      io.Reader
	writing sync.Mutex
}

// NewSink returns the service's side of a stream. In is where frames are read
// from: it may have been read further than the request.
func NewSink(conn net.Conn, in io.Reader) *Sink { return &Sink{conn: conn, in: in} }

// Write passes output on. It waits while there is no room for it.
func (s *Sink) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += maxFrame {
		if err := s.frame(frameData, p[at:min(at+maxFrame, len(p))]); err != nil {
			return at, err
		}
	}
	return len(p), nil
}

func (s *Sink) frame(kind byte, rest []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return writeFrame(s.conn, kind, rest)
}

// exitPatience is how long the news of the end may take to be taken.
const exitPatience = time.Minute

// Exit says how the program has ended.
func (s *Sink) Exit(e Exit) error {
	rest, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(exitPatience)); err != nil {
		return err
	}
	return s.frame(frameExit, rest)
}

// A Sunk is what comes for a program: one of these.
type Sunk struct {
	Data   []byte
	Resize *Terminal
	End    bool // of the input
}

// Next waits for what comes next. Its data is good until the next call.
func (s *Sink) Next(buffer []byte) (Sunk, error) {
	kind, length, err := readHead(s.in)
	if err != nil {
		return Sunk{}, err
	}
	if len(buffer) < length {
		buffer = make([]byte, length)
	}
	rest := buffer[:length]
	if _, err := io.ReadFull(s.in, rest); err != nil {
		return Sunk{}, err
	}
	switch kind {
	case frameData:
		return Sunk{Data: rest}, nil
	case frameEnd:
		return Sunk{End: true}, nil
	case frameResize:
		var t Terminal
		err := json.Unmarshal(rest, &t)
		return Sunk{Resize: &t}, err
	}
	return Sunk{}, fmt.Errorf("a frame %q is not for this side", kind)
}
