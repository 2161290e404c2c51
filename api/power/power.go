// Package power asks the power service of a node to reboot it, to switch it off,
// or to have it forget what it was told.
//
// The service is reached over a Unix socket and serves one request for each
// connection, in lines of JSON: a Request, an Answer, the word to go ahead, and
// another Answer. Between the two the caller can still tell others what is about to
// happen, and a caller that goes away instead has asked for nothing.
package power

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

// An Action is what becomes of a node.
type Action string

// The actions.
const (
	Reboot   Action = "reboot"
	Shutdown Action = "shutdown"
	// A reset reboots, and the next boot makes the node one that was never told
	// anything. The second one leaves what runs on the node its data.
	Reset         Action = "reset"
	ResetSettings Action = "reset-settings"
)

// A Request is what a caller wants.
type Request struct {
	Action Action `json:"action"`
	Reason string `json:"reason,omitempty"` // for the log
}

// GoAhead is what a caller says once he is ready.
type GoAhead struct {
	Go bool `json:"go"`
}

// An Answer is what becomes of a request: first whether it can be carried out,
// and then whether it was.
type Answer struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // why not
}

// MaxLine is the longest line that either side sends.
const MaxLine = 64 << 10

// Patience is how long either side waits for the other.
const Patience = 30 * time.Second

// A Client asks the service at one socket. It may be shared between goroutines.
type Client struct{ socket string }

// New returns a client for the service that listens at socket.
func New(socket string) *Client { return &Client{socket} }

// Prepare asks whether a can be carried out. The function that it returns has
// that done, and may be called once.
func (c *Client) Prepare(ctx context.Context, a Action, reason string) (func() error, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, fmt.Errorf("ask for a %s: %w", a, err)
	}
	lines := bufio.NewReader(io.LimitReader(conn, 2*MaxLine))
	if err := ask(conn, lines, Request{a, reason}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask for a %s: %w", a, err)
	}
	return func() error {
		defer conn.Close()
		if err := ask(conn, lines, GoAhead{true}); err != nil {
			return fmt.Errorf("go ahead with a %s: %w", a, err)
		}
		return nil
	}, nil
}

// ask sends a line and waits for the answer.
func ask(conn net.Conn, lines *bufio.Reader, v any) error {
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	if err := json.NewEncoder(conn).Encode(v); err != nil {
		return err
	}
	line, err := lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = errors.New("the power service went away")
	}
	if err != nil {
		return err
	}
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !a.OK {
		return fmt.Errorf("the power service refuses: %s", a.Detail)
	}
	return nil
}
