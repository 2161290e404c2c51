package vm

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, c *Console, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var raw, watch strings.Builder
		c := NewConsole(&raw, &watch)
		go func() {
			time.Sleep(time.Second)
			write(t, c, "one\r\ntw")
			time.Sleep(time.Second)
			write(t, c, "o\r\nthree two\r\n\x1b[32mfour\x1b[0m ")
			c.end()
		}()
		for _, tt := range []struct {
			texts []string
			want  Line
			err   error
		}{
			{[]string{"two"}, Line{2 * time.Second, "two"}, nil},
			{[]string{"two", "one"}, Line{2 * time.Second, "three two"}, nil}, // not the same line again
			{[]string{"fo"}, Line{2 * time.Second, "four"}, nil},
			{[]string{"five"}, Line{}, ErrOff},
		} {
			got, err := c.Await(t.Context(), tt.texts...)
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("Await(%q): error %v, want %v; (-want +got):\n%s", tt.texts, err, tt.err, diff)
			}
		}
		if want := "one\r\ntwo\r\nthree two\r\n\x1b[32mfour\x1b[0m "; raw.String() != want {
			t.Errorf("copied %q, want all bytes as they came: %q", raw.String(), want)
		}
		if want := "   1.00  one\n   2.00  two\n   2.00  three two\n   2.00  four\n"; watch.String() != want {
			t.Errorf("watched %q, want each line with its time: %q", watch.String(), want)
		}
	})
}

func TestAwaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConsole(io.Discard, nil)
		write(t, c, "booting\n")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Await(ctx, "ready", "done")
		const want = `wait for ["ready" "done"] on the console: context deadline exceeded after 3s; its last lines:` + "\n   0.00  booting\n"
		if err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await: error %v, want %s", err, want)
		}
	})
}

func TestPlain(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as it is", "a b\tc", "a b\tc"},
		{"colour", "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mx\x1b[0m.\r", "[  OK  ] Started x."},
		{"title", "\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab"},
		{"device control", "\x1bP+q\x1b\\a", "a"},
		{"two bytes", "\x1b7a\x1b", "a"},
		{"open end", "a\x1b[1;", "a"},
		{"open title", "a\x1b]0;", "a"},
		{"control characters", "\x00\x07a\x7f\b", "a"},
		{"no UTF-8", "ä\xff", "ä\uFFFD"},
	}
	for _, tt := range tests {
		if got := Plain([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: Plain(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// Whatever a machine writes, a line of it has no control characters.
func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x1b[0m\x1b]x\x07"))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, r := range Plain(line) {
			if r < ' ' && r != '\t' || r == 0x7f {
				t.Errorf("Plain(%q) keeps %q", line, r)
			}
		}
	})
}
