package run_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// script puts a program called name first in PATH.
func script(t *testing.T, name, body string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestRunErrors(t *testing.T) {
	tests := []struct {
		name, body string
		args       []string
		want       string
		status     int
	}{
		{name: "succeeds", body: "exit 0"},
		{name: "status and last line", body: "echo one >&2; echo two >&2; echo >&2; exit 3", want: "stand-in: exit status 3: two", status: 3},
		{name: "no newline at the end", body: "printf 'a\nb' >&2; exit 1", want: "stand-in: exit status 1: b", status: 1},
		{name: "silent", body: "exit 1", want: "stand-in: exit status 1", status: 1},
		{name: "words are quoted", body: "exit 1", args: []string{"a b", "it's", "", "-x=1"}, want: `stand-in 'a b' 'it'\''s' '' -x=1: exit status 1`, status: 1},
		{
			name: "many words", body: "exit 1", args: slices.Repeat([]string{"0123456789"}, 100), status: 1,
			want: "stand-in" + strings.Repeat(" 0123456789", 53) + " … (47 more words): exit status 1",
		},
		{name: "ended by a signal", body: "kill -9 $$", want: "stand-in: signal: killed", status: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			script(t, "stand-in", tt.body)
			err := run.Command{Args: append([]string{"stand-in"}, tt.args...)}.Run(t.Context())
			if got := text(err); got != tt.want {
				t.Errorf("Run of %q: error %q, want %q", tt.body, got, tt.want)
			}
			if got := run.Status(err); got != tt.status {
				t.Errorf("Status(%v) = %d, want %d", err, got, tt.status)
			}
		})
	}
}

func TestRunMissingProgram(t *testing.T) {
	err := run.Command{Args: []string{"no-such-program", "-x"}}.Run(t.Context())
	want := "no-such-program -x: executable file not found in $PATH"
	if got := text(err); got != want {
		t.Errorf("Run: error %q, want %q", got, want)
	}
	if got := run.Status(err); got != -1 {
		t.Errorf("Status(%v) = %d, want -1", err, got)
	}
	err = run.Command{Args: []string{"/no/such/program"}}.Run(t.Context())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run(/no/such/program): error %v, want one that is fs.ErrNotExist", err)
	}
}

func TestOutput(t *testing.T) {
	script(t, "stand-in", `cat; echo "$GREETING"; pwd; echo noise >&2`)
	dir := t.TempDir()
	var stderr bytes.Buffer
	out, err := run.Command{
		Args: []string{"stand-in"}, Dir: dir, Env: []string{"GREETING=hello"},
		Stdin: strings.NewReader("in\n"), Stderr: &stderr,
	}.Output(t.Context())
	if err != nil {
		t.Fatalf("Output: %v", err)
	}
	if diff := cmp.Diff("in\nhello\n"+dir+"\n", string(out)); diff != "" {
		t.Errorf("Output (-want +got):\n%s", diff)
	}
	if got := stderr.String(); got != "noise\n" {
		t.Errorf("Output: standard error %q, want %q", got, "noise\n")
	}
}

func TestCancelInterrupts(t *testing.T) {
	script(t, "stand-in", `trap 'echo interrupted >&2; exit 4' INT; echo ready; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := run.Command{Args: []string{"stand-in"}, Stdout: onWrite(cancel)}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := run.Status(p.Wait()); got != 4 {
		t.Errorf("Wait after the context ended: status %d, want 4, that of the interrupt", got)
	}
	if diff := cmp.Diff([]string{"interrupted"}, p.Tail()); diff != "" {
		t.Errorf("Tail (-want +got):\n%s", diff)
	}
}

func TestApart(t *testing.T) {
	script(t, "stand-in", `read -r _ _ _ _ group _ </proc/$$/stat; echo $$ $group`)
	out, err := run.Command{Args: []string{"stand-in"}, Apart: true}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(out)); len(f) != 2 || f[0] != f[1] {
		t.Errorf("process id and group of a program apart: %q, want them equal", out)
	}
}

type onWrite func()

func (f onWrite) Write(b []byte) (int, error) { f(); return len(b), nil }

func TestTailKeepsTheLastLines(t *testing.T) {
	script(t, "stand-in", `i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i >&2; done; exit 1`)
	p, err := run.Command{Args: []string{"stand-in"}}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(p.Wait()), "stand-in: exit status 1: line 50"; got != want {
		t.Errorf("Wait: error %q, want %q", got, want)
	}
	got := p.Tail()
	if len(got) != 20 || got[0] != "line 31" || got[19] != "line 50" {
		t.Errorf("Tail = %q, want lines 31 to 50", got)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
