// Package screen shows text on the consoles of the node.
//
// All terminals count that the kernel writes to, since nobody knows which of
// them somebody looks at.
package screen

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// A Screen is the consoles of a node. It is for one user at a time.
type Screen struct {
	root  string
	limit time.Duration
	stuck map[string]bool     // terminals that are not written to any more
	open  map[string]*os.File // to be closed when the program ends: that waits for a slow line
}

// New returns the consoles of the node whose files are below root. A terminal
// may take as long as limit: one whose other end wants no more would hold up its
// writer for ever. It is left alone from then on.
func New(root string, limit time.Duration) *Screen {
	return &Screen{root: root, limit: limit, stuck: map[string]bool{}, open: map[string]*os.File{}}
}

// terminals returns the devices of all consoles that the kernel writes to. Its
// own name for them, /dev/console, is only the last one.
func (s *Screen) terminals() []string {
	active, err := os.ReadFile(filepath.Join(s.root, "sys/class/tty/console/active"))
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range strings.Fields(string(active)) {
		out = append(out, filepath.Join(s.root, "dev", name))
	}
	return out
}

// Show writes text to the consoles, or else to /dev/console. One is enough.
func (s *Screen) Show(text string) error {
	var errs []error
	done := false
	for _, name := range s.terminals() {
		err := s.write(name, text)
		done = done || err == nil
		errs = append(errs, err)
	}
	if done {
		return nil
	}
	err := s.write(filepath.Join(s.root, "dev/console"), text)
	if err == nil {
		return nil
	}
	return errors.Join(append(errs, err)...)
}

// errStuck says that a terminal did not take what was written to it before.
var errStuck = errors.New("the terminal takes no text")

func (s *Screen) write(name, text string) error {
	if s.stuck[name] {
		return errStuck
	}
	f := s.open[name]
	if f == nil {
		var err error
		if f, err = os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0); err != nil {
			return err
		}
	}
	err := f.SetWriteDeadline(time.Now().Add(s.limit))
	if err == nil || errors.Is(err, os.ErrNoDeadline) {
		_, err = f.WriteString(text)
	}
	if err == nil {
		s.open[name] = f
		return nil
	}
	delete(s.open, name)
	s.stuck[name] = errors.Is(err, os.ErrDeadlineExceeded)
	return errors.Join(err, f.Close())
}

// Plain returns text as one line of at most so many bytes that a terminal shows
// and does not obey.
func Plain(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
