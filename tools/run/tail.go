package run

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

const (
	keepLines = 20
	keepBytes = 4096 // of one line
)

// A tail keeps the last lines of what is written to it. It may be read while
// it is written.
type tail struct {
	mu      sync.Mutex // guards the fields below
	full    []string   // complete lines, the blank ones left out
	partial []byte     // the line that has not ended yet
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		t.partial = append(t.partial, line[:min(len(line), keepBytes-len(t.partial))]...)
		if !ended {
			return n, nil
		}
		t.full = add(t.full, t.partial)
		t.partial, b = t.partial[:0], rest
	}
}

func add(lines []string, line []byte) []string {
	s := strings.TrimRight(string(line), " \t\r")
	if s == "" {
		return lines
	}
	if len(lines) == keepLines {
		lines = slices.Delete(lines, 0, 1)
	}
	return append(lines, s)
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return add(slices.Clone(t.full), t.partial)
}

func (t *tail) last() string {
	lines := t.lines()
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
