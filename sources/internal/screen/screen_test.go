package screen_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/screen"
)

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Files stand for terminals.
func TestShow(t *testing.T) {
	tests := []struct {
		name, active string
		have         []string // terminals
		want         []string // those that show it
		fails        bool
	}{
		{name: "all", active: "tty0 ttyS0\n", have: []string{"tty0", "ttyS0", "console"}, want: []string{"tty0", "ttyS0"}},
		{name: "one is enough", active: "tty0 ttyS0\n", have: []string{"ttyS0", "console"}, want: []string{"ttyS0"}},
		{name: "none of them", active: "tty0\n", have: []string{"console"}, want: []string{"console"}},
		{name: "not known", have: []string{"console"}, want: []string{"console"}},
		{name: "nothing", active: "tty0\n", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			if tt.active != "" {
				write(t, root, "sys/class/tty/console/active", tt.active)
			}
			for _, name := range tt.have {
				write(t, root, "dev/"+name, "")
			}
			if err := screen.New(root, time.Minute).Show("text\n"); (err != nil) != tt.fails {
				t.Errorf("Show: %v, want an error: %t", err, tt.fails)
			}
			var got []string
			for _, name := range tt.have {
				if read(t, root, "dev/"+name) == "text\n" {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("Show wrote to %q, want %q", got, tt.want)
			}
		})
	}
}

// A terminal that takes nothing is given up after the first try.
func TestStuck(t *testing.T) {
	root := t.TempDir()
	write(t, root, "dev/nothing", "")
	pipe := filepath.Join(root, "dev/console")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // who never reads
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := screen.New(root, time.Millisecond)
	if err := s.Show(strings.Repeat("x", 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Show on a full terminal: %v, want that time ran out", err)
	}
	if err := s.Show("x"); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Show on a full terminal again: %v, want that it was not tried", err)
	}
}

func TestPlain(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as it is", "a ü", "a ü"},
		{"of a terminal", "a\x1b[2J\nb", "a [2J b"},
		{"not UTF-8", "a\xff", "a?"},
		{"long", "0123456789ü", "0123456789…"},
	}
	for _, tt := range tests {
		if got := screen.Plain(tt.in, 11); got != tt.want {
			t.Errorf("%s: Plain(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}
