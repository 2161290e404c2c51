// Package journal reads the journal of a node.
//
// It runs journalctl: the library for the journal's files takes C, and a
// program of its own keeps what reading them takes out of a resident daemon.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Program is the name of the program that reads the journal.
const Program = "journalctl"

const (
	maxLine = 1 << 20 // of the program's output; longer ones are passed over
	maxWord = 4 << 10 // of what it says about itself
	grace   = 2 * time.Second
)

// A Journal is the journal of the node.
type Journal struct{}

// Open begins to read the lines that q selects, of which the parts have been
// checked.
func (Journal) Open(ctx context.Context, q Query) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{cancel: cancel}
	s.cmd = exec.CommandContext(ctx, Program, q.words()...)
	s.cmd.Env = []string{"LC_ALL=C", "SYSTEMD_COLORS=0"}
	s.cmd.Stderr = &s.said
	s.cmd.WaitDelay = grace
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("run %s: %w", Program, err)
	}
	s.lines = bufio.NewReaderSize(out, 32<<10)
	return s, nil
}

// A Stream gives the lines of a query.
type Stream struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	lines  *bufio.Reader
	said   head
	ended  error
}

// Next waits for the next line. It returns io.EOF behind the last.
func (s *Stream) Next() (Entry, error) {
	for s.ended == nil {
		line, err := s.line()
		switch {
		case errors.Is(err, bufio.ErrTooLong):
			continue
		case err != nil:
			return Entry{}, s.finish(err)
		case len(line) == 0:
			continue
		}
		return parse(line)
	}
	return Entry{}, s.ended
}

// Waiting reports whether Next would have to wait for the program.
func (s *Stream) Waiting() bool { return s.lines.Buffered() == 0 }

// line returns the next line, or bufio.ErrTooLong in the place of one that is.
func (s *Stream) line() ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := s.lines.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case tooLong:
			return nil, bufio.ErrTooLong
		case err != nil && len(line) == 0:
			return nil, err
		}
		return bytes.TrimSpace(line), nil
	}
}

// finish says how the program has ended.
func (s *Stream) finish(err error) error {
	s.ended = io.EOF
	if !errors.Is(err, io.EOF) {
		s.ended = fmt.Errorf("read what %s writes: %w", Program, err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.ended = fmt.Errorf("run %s: %w", Program, err)
		if said := s.said.last(); said != "" {
			s.ended = fmt.Errorf("%s: %s", Program, said)
		}
	}
	return s.ended
}

// Close ends the program.
func (s *Stream) Close() {
	s.cancel()
	if s.ended == nil {
		_ = s.cmd.Wait() // it was told to end
		s.ended = io.EOF
	}
}

// A head keeps the beginning of what is written to it.
type head struct{ b bytes.Buffer }

// Write takes p, and keeps what there is room for.
func (h *head) Write(p []byte) (int, error) {
	h.b.Write(p[:min(len(p), maxWord-h.b.Len())])
	return len(p), nil
}

// last returns the last line.
func (h *head) last() string {
	text := strings.TrimSpace(h.b.String())
	return text[strings.LastIndexByte(text, '\n')+1:]
}
