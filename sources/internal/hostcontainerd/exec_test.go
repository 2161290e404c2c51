package hostcontainerd_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// running returns a lab with a container that runs.
func running(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.embed(l.image("PATH=/bin"), embedded)
	l.start(l.definition(embedded, "wait"))
	l.journal.expect(t, "one: ready")
	return l
}

// exec runs words and ends them with the test.
func (l *lab) exec(terminal *hostcontainerd.Size, words ...string) *hostcontainerd.Attached {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	a, err := l.Exec(ctx, "one", words, terminal)
	if err != nil {
		l.t.Fatalf("Exec(%q): %v", words, err)
	}
	return a
}

// end waits for the end of a and returns its output and status.
func end(t *testing.T, a *hostcontainerd.Attached) (string, uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out, err := io.ReadAll(a)
	if err != nil {
		t.Errorf("read the output: %v", err)
	}
	code, err := a.Wait(ctx)
	if err != nil {
		t.Errorf("Wait: %v", err)
	}
	if err := a.End(ctx); err != nil {
		t.Errorf("End: %v", err)
	}
	return string(out), code
}

// Programs run beside the first, with input, output and status.
func TestExec(t *testing.T) {
	l := running(t)
	a := l.exec(nil, "/inside", "exit", "7")
	if out, code := end(t, a); out != "" || code != 7 {
		t.Errorf("exit 7: %q, %d, want no output and 7", out, code)
	}
	text := strings.Repeat("0123456789abcdef", 64<<10) // more than any pipe holds
	a = l.exec(nil, "/inside", "copy")
	go func() {
		_, _ = io.WriteString(a, text)
		_ = a.CloseInput(context.WithoutCancel(t.Context()))
	}()
	if out, code := end(t, a); len(out) != len(text)+14 || !strings.Contains(out, "1048576 <nil>\n") || code != 0 {
		t.Errorf("copy: %d bytes, status %d, want %d bytes and what was written to standard error", len(out), code, len(text))
	}
	for _, tt := range []struct {
		id, word string
		want     error
		text     string
	}{
		{"none", "/inside", hostcontainerd.ErrNoContainer, "container none: there is no such container"},
		{"one", "/nothing", nil, `run "/nothing" in container one: no such file or directory`},
		{"one", "nothing", nil, `run "nothing" in container one: executable file not found in $PATH`},
	} {
		_, err := l.Exec(t.Context(), tt.id, []string{tt.word}, nil)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || err.Error() != tt.text {
			t.Errorf("Exec(%s, %s): %v, want %s", tt.id, tt.word, err, tt.text)
		}
	}
}

// A program on a terminal has its size, and hears of another one and of ^C.
func TestExecTerminal(t *testing.T) {
	l := running(t)
	a := l.exec(&hostcontainerd.Size{Rows: 24, Cols: 80}, "/inside", "signals")
	await(t, a, "waiting")
	if err := a.Resize(t.Context(), hostcontainerd.Size{Rows: 50, Cols: 132}); err != nil {
		t.Errorf("Resize: %v", err)
	}
	await(t, a, "window changed 50 132")
	if _, err := a.Write([]byte{3}); err != nil {
		t.Errorf("write ^C: %v", err)
	}
	if out, code := end(t, a); !strings.Contains(out, "interrupt 50 132") || code != 130 {
		t.Errorf("after ^C: %q, status %d, want interrupt 50 132 and 130", out, code)
	}
}

// await reads until text has come.
func await(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var got []byte
	buffer := make([]byte, 4096)
	for !strings.Contains(string(got), text) {
		n, err := r.Read(buffer)
		got = append(got, buffer[:n]...)
		if err != nil {
			t.Fatalf("output %q, %v, want %q in it", got, err, text)
		}
	}
}

// A program whose caller goes away ends, whatever it does.
func TestExecEnded(t *testing.T) {
	l := running(t)
	for name, words := range map[string][]string{"waits": {"/inside", "copy"}, "floods": {"/inside", "flood"}, "is deaf": {"/inside", "deaf"}} {
		t.Run(name, func(t *testing.T) {
			a := l.exec(nil, words...)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if err := a.End(ctx); err != nil {
				t.Errorf("End: %v", err)
			}
			if _, err := a.Wait(ctx); err == nil {
				t.Log("its status is still known")
			}
		})
	}
	if list, err := l.List(t.Context()); err != nil || len(list) != 1 || !list[0].Running || list[0].Name != "one" || list[0].Kind != hostcontainerd.Host || list[0].Digest == "" {
		t.Errorf("List: %+v, %v, want the container one", list, err)
	}
}

// containerd is killed while a program runs, which goes on.
func TestExecKilledContainerd(t *testing.T) {
	l := running(t)
	a := l.exec(nil, "/inside", "copy")
	if _, err := io.WriteString(a, "before "); err != nil {
		t.Fatal(err)
	}
	await(t, a, "before")
	if err := l.daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(a, "meanwhile "); err != nil {
		t.Fatal(err)
	}
	await(t, a, "meanwhile")
	type ending struct {
		code uint32
		err  error
	}
	ended := make(chan ending, 1)
	go func() {
		code, err := a.Wait(context.WithoutCancel(t.Context()))
		ended <- ending{code, err}
	}()
	l.startDaemon()
	if _, err := io.WriteString(a, "after"); err != nil {
		t.Fatal(err)
	}
	await(t, a, "after")
	deadline := time.After(limit)
	for closed := false; ; {
		select {
		case e := <-ended:
			if diff := cmp.Diff(ending{}, e, cmp.AllowUnexported(ending{})); diff != "" {
				t.Errorf("Wait (-want +got):\n%s", diff)
			}
			if err := a.End(t.Context()); err != nil {
				t.Errorf("End: %v", err)
			}
			return
		case <-deadline:
			t.Fatal("the program does not end with its input")
		case <-time.After(50 * time.Millisecond):
			if !closed { // containerd may still be on its way back
				closed = a.CloseInput(t.Context()) == nil
			}
		}
	}
}
