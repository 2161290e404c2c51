package updater

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Bounds of what is read of an updater.
const (
	maxAnswer  = 64 << 10
	maxStatus  = 1 << 20
	maxHistory = 1 << 20 // its end
)

// patience is how long the updater may take to answer once it has everything, and
// to take the next piece of a bundle, and planPatience how long to answer a dry run.
const (
	patience     = time.Minute
	planPatience = 5 * time.Minute // it looks at the repository first
)

// ErrNoStatus says that the updater has never done anything.
var ErrNoStatus = errors.New("updates were never looked for")

// Places are where a client finds what belongs to an updater.
type Places struct {
	Socket string
	Dir    string // with StatusFile and HistoryFile
	Lock   string
}

// Usual returns the places of a node.
func Usual() Places { return Places{Socket: Socket, Dir: Dir, Lock: LockFile} }

// A Client asks an updater, and reads what it has written. It may be shared
// between goroutines.
type Client struct{ at Places }

// New returns a client of the updater that is found at those places.
func New(at Places) *Client { return &Client{at} }

// Ask makes a request, and returns when the work has begun or was refused. The
// bundle has r.BundleSize bytes; nil stands for none. An error means that it is
// not known whether anything was begun.
func (c *Client) Ask(ctx context.Context, r Request, bundle io.Reader) (Answer, error) {
	a, err := c.ask(ctx, r, bundle)
	if err != nil {
		return Answer{}, fmt.Errorf("ask the updater for %s: %w", r.Action, err)
	}
	return a, nil
}

func (c *Client) ask(ctx context.Context, r Request, bundle io.Reader) (Answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.at.Socket)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhook()

	// A refusal may come before the bundle is through.
	type result struct {
		answer Answer
		err    error
	}
	answered := make(chan result, 1)
	go func() {
		a, err := readAnswer(conn)
		answered <- result{a, err}
	}()
	sent := send(conn, append(line, '\n'), r.BundleSize, bundle)
	if fault, ok := errors.AsType[*sourceError](sent); ok {
		// The updater would wait for the rest.
		conn.Close()
		<-answered
		return Answer{}, fault
	}
	// Also after a failure to send: whoever refuses does not read on.
	wait := patience
	if r.DryRun {
		wait = planPatience
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil && ctx.Err() == nil {
		conn.Close()
	}
	got := <-answered
	switch {
	case ctx.Err() != nil:
		return Answer{}, ctx.Err()
	case got.err == nil:
		return got.answer, nil
	case sent != nil:
		return Answer{}, sent
	}
	return Answer{}, got.err
}

// A sourceError says that a bundle could not be read in full.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "read the bundle: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// send writes line, and size bytes of bundle.
func send(conn net.Conn, line []byte, size int64, bundle io.Reader) error {
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(line); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for size > 0 {
		n, err := io.ReadAtLeast(bundle, buf[:min(size, int64(len(buf)))], 1)
		if err != nil {
			return &sourceError{err}
		}
		if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

func readAnswer(conn net.Conn) (Answer, error) {
	line, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = errors.New("the updater went away without an answer")
	}
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return a, nil
}

// Status returns how updates stand, or ErrNoStatus.
func (c *Client) Status() (Status, error) {
	data, err := readFile(filepath.Join(c.at.Dir, StatusFile), maxStatus)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, ErrNoStatus
	}
	var s Status
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read the status of updates: %w", err)
	}
	if s.AvailableUpdates == nil {
		s.AvailableUpdates = []string{}
	}
	return s, nil
}

// Busy reports whether the updater does something. It asks the kernel, so that
// one that was killed, or lost its power, is not taken for busy.
func (c *Client) Busy() (bool, error) {
	busy, err := held(c.at.Lock)
	if err != nil {
		return false, fmt.Errorf("ask whether the updater is busy: %w", err)
	}
	return busy, nil
}

// History returns the last events, the newest first: at most limit, or all that
// are kept for 0. A line that cannot be read, as after a power cut, is left out.
func (c *Client) History(limit int) ([]Event, error) {
	data, err := readEnd(filepath.Join(c.at.Dir, HistoryFile), maxHistory)
	if errors.Is(err, fs.ErrNotExist) {
		return []Event{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of updates: %w", err)
	}
	out := []Event{}
	lines := bytes.Split(data, []byte("\n"))
	for i := len(lines) - 1; i >= 0 && (limit == 0 || len(out) < limit); i-- {
		var e Event
		if json.Unmarshal(lines[i], &e) == nil {
			out = append(out, e)
		}
	}
	return out, nil
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}

// readEnd returns the last bytes of a file, at most so many.
func readEnd(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, most))
}
