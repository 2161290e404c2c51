package teststream_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/teststream"
)

var update = flag.Bool("update", false, "write what the tests get as what they want")

// The streams in testdata were written by go test -json of Go 1.26.
func TestReader(t *testing.T) {
	tests := []struct {
		name, stream string
		want         teststream.Tally
		skips        []teststream.Skip
	}{
		{
			name: "subtests, a fuzz target, an example, a package without tests", stream: "passes",
			want: teststream.Tally{Passed: 3, Skipped: 2},
			skips: []teststream.Skip{
				{Package: "f", Test: "TestP/2", Reason: "x y"},
				{Package: "f", Test: "TestNoReason", Reason: "no reason given"},
			},
		},
		{
			name: "a leaf fails, a parent fails by itself", stream: "failures",
			want:  teststream.Tally{Passed: 5, Failed: 2, Skipped: 1},
			skips: []teststream.Skip{{Package: "a", Test: "TestSkip", Reason: "no QEMU here"}},
		},
		{name: "a panic in a subtest", stream: "panic", want: teststream.Tally{Passed: 1, Failed: 1}},
		{
			name: "one build failure keeps three packages from running", stream: "build",
			want: teststream.Tally{Passed: 3, Failed: 3, Skipped: 2},
			skips: []teststream.Skip{
				{Package: "f", Test: "TestP/2", Reason: "x y"},
				{Package: "f", Test: "TestNoReason", Reason: "no reason given"},
			},
		},
		{name: "an import that cannot be had", stream: "setup", want: teststream.Tally{Failed: 1}},
		{name: "TestMain exits", stream: "testmain", want: teststream.Tally{Failed: 1}},
		{name: "a test calls os.Exit(0)", stream: "exit", want: teststream.Tally{Failed: 1}},
		{name: "a package takes too long", stream: "timeout", want: teststream.Tally{Passed: 1, Failed: 1}},
		{name: "the stream is cut off", stream: "interrupted", want: teststream.Tally{Failed: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream, err := os.ReadFile(filepath.Join("testdata", tt.stream+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			r := teststream.NewReader(&out, "ex/")
			// One byte at a time: lines arrive in pieces.
			if _, err := io.Copy(r, iotest.OneByteReader(bytes.NewReader(stream))); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			if diff := cmp.Diff(tt.want, r.Tally()); diff != "" {
				t.Errorf("Tally of %s (-want +got):\n%s", tt.stream, diff)
			}
			if diff := cmp.Diff(tt.skips, r.Skips()); diff != "" {
				t.Errorf("Skips of %s (-want +got):\n%s", tt.stream, diff)
			}
			golden(t, tt.stream+".txt", out.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("output is not that of %s (-want +got):\n%s", path, diff)
	}
}

func TestTallyString(t *testing.T) {
	got := teststream.Tally{Passed: 12, Skipped: 1}.String()
	if want := "12 passed, 0 failed, 1 skipped"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
}
