package program_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		words  []string
		output string
		err    string
	}{
		{"good", []string{"echo", "a", "b"}, "a b\n", ""},
		{"both outputs", []string{"sh", "-c", "echo out; echo err >&2"}, "out\nerr\n", ""},
		{"fails", []string{"sh", "-c", "echo first; echo last; exit 3"}, "first\nlast\n", `run sh -c "echo first; echo last; exit 3": exit status 3: last`},
		{"silent", []string{"false"}, "", "run false: exit status 1"},
		{"absent", []string{"/nonexistent/x"}, "", "run /nonexistent/x: fork/exec /nonexistent/x: no such file or directory"},
		{"takes too long", []string{"sleep", "60"}, "", "run sleep 60: not done within 50ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limit := time.Minute
			if tt.words[0] == "sleep" {
				limit = 50 * time.Millisecond
			}
			output, err := program.Run(context.Background(), limit, tt.words...)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff([]string{tt.output, tt.err}, []string{output, text}); diff != "" {
				t.Errorf("Run(%q): output and error (-want +got):\n%s", tt.words, diff)
			}
		})
	}
}

// Only the end of a long output is kept.
func TestRunTail(t *testing.T) {
	out, err := program.Run(context.Background(), time.Minute, "seq", "1", "100000")
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 4096 || !strings.HasSuffix(out, "99999\n100000\n") {
		t.Errorf("output of seq has %d bytes and ends in %q, want 4096 and 100000", len(out), out[len(out)-10:])
	}
}
