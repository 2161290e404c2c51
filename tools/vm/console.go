package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrOff says that a machine went off before it said what was waited for.
var ErrOff = errors.New("the machine went off")

// maxLines is how many lines are kept at least. A machine that writes for days
// must not fill the memory of the program that watches it.
const maxLines = 20000

// tailLines is how many lines an error shows.
const tailLines = 30

// A Line is one that a machine wrote to its console.
type Line struct {
	At   time.Duration // since the machine was switched on
	Text string        // without what only a terminal needs
}

// String returns l with its time.
func (l Line) String() string { return fmt.Sprintf("%7.2f  %s", l.At.Seconds(), l.Text) }

// A Console records what a machine writes to its serial port.
type Console struct {
	raw   io.Writer
	watch io.Writer
	start time.Time

	mu      sync.Mutex // guards what follows
	lines   []Line
	part    []byte // of the line that is being written
	next    int    // the first line that Await has not looked at
	off     bool
	changed chan struct{} // closed at the next change, and replaced
}

// NewConsole returns a Console that also copies all bytes to raw, and to watch
// each line as a person reads it. Watch may be nil.
func NewConsole(raw, watch io.Writer) *Console {
	if watch == nil {
		watch = io.Discard
	}
	return &Console{raw: raw, watch: watch, start: time.Now(), changed: make(chan struct{})}
}

func (c *Console) elapsed() time.Duration { return time.Since(c.start) }

// Write takes what the machine wrote.
func (c *Console) Write(p []byte) (int, error) {
	n, err := c.raw.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.part = append(c.part, p[:n]...)
	for {
		line, rest, ok := bytes.Cut(c.part, []byte("\n"))
		if !ok {
			break
		}
		c.add(line)
		c.part = rest
	}
	c.wake()
	return n, err
}

// end notes that no more will come. A last line without an end counts as one.
func (c *Console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.part) > 0 {
		c.add(c.part)
		c.part = nil
	}
	c.off = true
	c.wake()
}

func (c *Console) add(line []byte) {
	l := Line{At: c.elapsed(), Text: Plain(line)}
	if len(c.lines) == 2*maxLines {
		c.lines = slices.Clone(c.lines[maxLines:])
		c.next = max(0, c.next-maxLines)
	}
	c.lines = append(c.lines, l)
	fmt.Fprintln(c.watch, l)
}

func (c *Console) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Await waits for a line that contains one of texts, behind the line that the
// last call found.
func (c *Console) Await(ctx context.Context, texts ...string) (Line, error) {
	for {
		line, found, off, changed := c.look(texts)
		switch {
		case found:
			return line, nil
		case off:
			return Line{}, c.fault(texts, ErrOff)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Line{}, c.fault(texts, context.Cause(ctx))
		}
	}
}

func (c *Console) look(texts []string) (line Line, found, off bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.next < len(c.lines) {
		line := c.lines[c.next]
		c.next++
		for _, text := range texts {
			if strings.Contains(line.Text, text) {
				return line, true, false, nil
			}
		}
	}
	return Line{}, false, c.off, c.changed
}

func (c *Console) fault(texts []string, err error) error {
	return fmt.Errorf("wait for %q on the console: %w after %s; its last lines:\n%s",
		texts, err, c.elapsed().Round(100*time.Millisecond), c.Tail())
}

// Changed returns a channel that is closed once the machine has written
// something more, or nil if it is off and will not.
func (c *Console) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return nil
	}
	return c.changed
}

// Lines returns the lines so far, of very many the last.
func (c *Console) Lines() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Line(nil), c.lines...)
}

// Tail returns the last lines with their times.
func (c *Console) Tail() string {
	lines := c.Lines()
	lines = lines[max(0, len(lines)-tailLines):]
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// Plain returns a line of a console without escape sequences, carriage returns and other
// control characters.
func Plain(line []byte) string {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == 0x1b:
			i += escape(line[i+1:])
		case c >= ' ' && c != 0x7f, c == '\t':
			b.WriteByte(c)
		}
	}
	return strings.ToValidUTF8(strings.TrimRight(b.String(), " "), "\uFFFD")
}

// escape returns how many bytes of s belong to the escape sequence that began
// before it.
func escape(s []byte) int {
	switch {
	case len(s) == 0:
		return 0
	case s[0] == '[': // up to a letter or the like
		for i, c := range s[1:] {
			if '@' <= c && c <= '~' {
				return i + 2
			}
		}
		return len(s)
	case s[0] == ']', s[0] == 'P', s[0] == '^', s[0] == '_': // a text up to its terminator
		for i, c := range s {
			switch {
			case c == 0x07:
				return i + 1
			case c == 0x1b && i+1 < len(s) && s[i+1] == '\\':
				return i + 2
			}
		}
		return len(s)
	}
	return 1
}
