package containers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A Client asks the service at one socket. It may be shared between goroutines.
type Client struct{ socket string }

// New returns a client for the service that listens at socket.
func New(socket string) *Client { return &Client{socket} }

// A conversation is one request under way.
type conversation struct {
	conn  net.Conn
	lines *bufio.Reader
	free  func() bool
}

// begin sends a request. When ctx ends the conversation does, too.
func (c *Client) begin(ctx context.Context, r Request) (*conversation, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, fmt.Errorf("reach the container service: %w", err)
	}
	t := &conversation{conn: conn, lines: bufio.NewReaderSize(conn, 4096)}
	t.free = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		t.end()
		return nil, t.fault(ctx, err)
	}
	return t, nil
}

func (t *conversation) end() {
	t.free()
	_ = t.conn.Close()
}

// fault returns what is wrong when the conversation broke off with err.
func (t *conversation) fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it went away")
	}
	return fmt.Errorf("ask the container service: %w", err)
}

// answer reads the next line.
func (t *conversation) answer(ctx context.Context) (Answer, error) {
	var a Answer
	line, err := readLine(t.lines)
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		return a, t.fault(ctx, err)
	}
	if a.Code != "" {
		return a, &Refusal{a.Code, a.Detail, a.Hint}
	}
	return a, nil
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > MaxLine {
			return nil, fmt.Errorf("a line has more than %d bytes", MaxLine)
		}
	}
}

// Do carries r out and returns the last answer. Progress is told of those before.
func (c *Client) Do(ctx context.Context, r Request, progress func(Progress)) (Answer, error) {
	return c.send(ctx, r, nil, progress)
}

// Load has the service take the image in an archive of r.Size bytes.
func (c *Client) Load(ctx context.Context, r Request, archive io.Reader) (Image, error) {
	a, err := c.send(ctx, r, archive, nil)
	if err != nil {
		return Image{}, err
	}
	if a.Image == nil {
		return Image{}, errors.New("the container service does not say which image it took")
	}
	return *a.Image, nil
}

func (c *Client) send(ctx context.Context, r Request, archive io.Reader, progress func(Progress)) (Answer, error) {
	t, err := c.begin(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	defer t.end()
	if archive != nil {
		if _, err := io.CopyN(t.conn, archive, r.Size); err != nil {
			// The service may have said why it takes no more.
			if a, told := t.answer(ctx); told != nil && a.Code != "" {
				return a, told
			}
			return Answer{}, t.fault(ctx, err)
		}
	}
	for {
		a, err := t.answer(ctx)
		if err != nil || a.Done {
			return a, err
		}
		if a.Progress != nil && progress != nil {
			progress(*a.Progress)
		}
	}
}

// Run begins a program: an Exec or a Launch. The program ends when ctx does, and
// when the stream is closed.
func (c *Client) Run(ctx context.Context, r Request) (*Stream, error) {
	t, err := c.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	for {
		a, err := t.answer(ctx)
		if err != nil {
			t.end()
			return nil, err
		}
		if a.Done { // the program runs
			t.free()
			return &Stream{conn: t.conn, in: t.lines}, nil
		}
	}
}
