package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// A LogsRequest selects lines of the journal. What is empty does not restrict.
type LogsRequest struct {
	Unit     string // name of a unit
	Boot     string // 0 for this boot, -1 for the one before, a boot's id, or all
	Priority string // the least: number or name of a syslog level
	Since    string // a time, or how long ago
	Lines    int    // only the last so many
	Kernel   bool   // only what the kernel says
	Follow   bool   // go on with lines as they come
	After    string // cursor of the last line seen
}

// A LogLine is a line of the journal.
type LogLine struct {
	Time       time.Time `json:"time"`
	Unit       string    `json:"unit,omitempty"`
	Identifier string    `json:"identifier,omitempty"` // what the program calls itself
	PID        int       `json:"pid,omitempty"`
	Priority   int       `json:"priority"` // a syslog level: 0 is the worst, 7 the least
	Message    string    `json:"message"`
	Cursor     string    `json:"cursor"`
}

// maxLogLine bounds a line of the journal as it comes.
const maxLogLine = 1 << 20

func (r LogsRequest) uri() string {
	truth := func(b bool) string {
		if b {
			return strconv.FormatBool(b)
		}
		return ""
	}
	return uri("/logs", "unit", r.Unit, "boot", r.Boot, "priority", r.Priority, "since", r.Since, "lines", number(r.Lines),
		"kernel", truth(r.Kernel), "follow", truth(r.Follow), "after", r.After)
}

// A LogStream gives lines of the journal. While it follows, it connects again
// when the node goes away and comes back, and goes on behind the last line.
type LogStream struct {
	api     *Client
	request LogsRequest
	pause   time.Duration // between attempts to connect
	lost    func(error)   // told when the connection breaks

	body   io.ReadCloser
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// Logs opens a stream of the lines that r selects. Lost, if it is not nil, is
// told why whenever a stream that follows loses its node.
func (c *Client) Logs(ctx context.Context, r LogsRequest, lost func(error)) (*LogStream, error) {
	if lost == nil {
		lost = func(error) {}
	}
	s := &LogStream{api: c, request: r, pause: cmp.Or(c.pause, usualPause), lost: lost}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *LogStream) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	body, err := s.api.open(ctx, Request{URI: s.request.uri()})
	if err != nil {
		cancel()
		return err
	}
	s.body, s.lines, s.cancel = body, bufio.NewReaderSize(body, maxLogLine), cancel
	return nil
}

// Next waits for the next line. At the end of the lines it returns io.EOF, which
// does not happen while it follows.
func (s *LogStream) Next(ctx context.Context) (LogLine, error) {
	for {
		if err := s.reconnect(ctx); err != nil {
			return LogLine{}, err
		}
		stop := context.AfterFunc(ctx, s.cancel)
		line, err := s.read()
		stop()
		switch {
		case ctx.Err() != nil:
			return LogLine{}, ctx.Err()
		case err == nil && line.Cursor != "" && line.Cursor == s.request.After: // seen already
			continue
		case err == nil:
			s.seen(line)
			return line, nil
		case errors.Is(err, errNoLogLine) || !s.request.Follow:
			return LogLine{}, err
		}
		s.lost(err)
		s.Close()
	}
}

// seen makes a later connection go on behind line.
func (s *LogStream) seen(line LogLine) {
	if line.Cursor == "" {
		return
	}
	s.request.After, s.request.Since, s.request.Lines = line.Cursor, "", 0
}

var errNoLogLine = errors.New("the API gave something that is no line of the journal")

// read returns the next line of the connection. Empty lines only show that the
// other side is there.
func (s *LogStream) read() (LogLine, error) {
	for {
		text, err := s.lines.ReadSlice('\n')
		text = bytes.TrimSpace(text)
		if len(text) == 0 && err == nil {
			continue
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return LogLine{}, fmt.Errorf("%w: it is longer than %d bytes", errNoLogLine, maxLogLine)
		}
		if err != nil && (len(text) == 0 || s.request.Follow) { // what was cut off comes again
			return LogLine{}, cause(err)
		}
		return parseLogLine(text)
	}
}

func parseLogLine(text []byte) (LogLine, error) {
	var line LogLine
	if err := json.Unmarshal(text, &line); err != nil {
		return LogLine{}, fmt.Errorf("%w: %v", errNoLogLine, err)
	}
	return line, nil
}

// reconnect makes sure that there is a connection. A node that is not there may
// come back; one that says no is believed, unless it is only busy.
func (s *LogStream) reconnect(ctx context.Context) error {
	for s.body == nil {
		if err := sleep(ctx, s.pause); err != nil {
			return err
		}
		err := s.connect(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if final(err) {
			return err
		}
	}
	return nil
}

// final reports whether trying again is of no use after err.
func final(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status != http.StatusTooManyRequests && p.Status < http.StatusInternalServerError
	}
	_, untrusted := errors.AsType[*Untrusted](err)
	_, rejected := errors.AsType[*Rejected](err)
	return untrusted || rejected
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Close ends the stream.
func (s *LogStream) Close() {
	if s.body == nil {
		return
	}
	s.cancel()
	s.body.Close()
	s.body, s.lines = nil, nil
}
