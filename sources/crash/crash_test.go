package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// node has directories as a node's after a boot, with the given pieces.
type node struct {
	keeper
	t *testing.T
}

func newNode(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	n := node{keeper{pstore: filepath.Join(dir, "pstore"), dir: filepath.Join(dir, "keep"), health: filepath.Join(dir, "run", "health")}, t}
	for _, d := range []string{n.pstore, n.dir, filepath.Dir(n.health)} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n node) leave(at time.Time, name, text string) {
	n.t.Helper()
	file := filepath.Join(n.pstore, name)
	if err := os.WriteFile(file, []byte(text), 0o444); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		n.t.Fatal(err)
	}
}

// boot runs the program and returns what it printed and reported.
func (n node) boot() (string, []report.Fault) {
	n.t.Helper()
	var out strings.Builder
	if err := n.run(&out); err != nil {
		n.t.Fatalf("run: %v", err)
	}
	faults, err := healthfile.ReadAll(n.health)
	if err != nil {
		n.t.Fatal(err)
	}
	return out.String(), faults
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestRun(t *testing.T) {
	n := newNode(t)
	n.leave(noon.Add(time.Second), "dmesg-efi_pstore-1764072000101001", "Panic#2 Part1\n<0>[    9.2] Kernel panic - not syncing: Fatal exception\n<0>[    9.3] Rebooting in 3 seconds..\n")
	n.leave(noon.Add(time.Second), "dmesg-efi_pstore-1764072000102001", "Panic#2 Part2\n<1>[    9.1] BUG: kernel NULL pointer dereference, address: 0\n")
	n.leave(noon, "dmesg-efi_pstore-1764072000101000", "Oops#1 Part1\n<1>[    9.1] BUG: kernel NULL pointer dereference, address: 0\n")
	n.leave(noon, "console-ramoops-0", "not a dump")

	out, faults := n.boot()
	want := []report.Fault{{
		Severity: report.Info, Code: "kernel-crash", Source: "crash-report",
		Detail: "the last boot ended in a panic: Fatal exception",
		Hint:   n.dir + "/20261121T120001Z-panic.txt and the journal of crash-report.service have what the kernel said before",
	}}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("run after a panic: faults (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"console-ramoops-0"}, names(t, n.pstore)); diff != "" {
		t.Errorf("run: left with the firmware (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"20261121T120000Z-oops.txt", "20261121T120001Z-panic.txt"}, names(t, n.dir)); diff != "" {
		t.Errorf("run: kept (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(n.dir, "20261121T120001Z-panic.txt"))
	if err != nil {
		t.Fatal(err)
	}
	wantText := "<1>[    9.1] BUG: kernel NULL pointer dereference, address: 0\n<0>[    9.2] Kernel panic - not syncing: Fatal exception\n<0>[    9.3] Rebooting in 3 seconds..\n"
	if diff := cmp.Diff(wantText, string(text)); diff != "" {
		t.Errorf("run: kept text (-want +got):\n%s", diff)
	}
	if !strings.Contains(out, wantText) {
		t.Errorf("run printed %q, want it to contain %q", out, wantText)
	}

	// The next boot has nothing to tell.
	if _, faults := n.boot(); len(faults) != 0 {
		t.Errorf("run after a good boot: faults %v, want none", faults)
	}
}

// A node that crashes over and over keeps the last crashes.
func TestRunKeepsLast(t *testing.T) {
	n := newNode(t)
	for i := range maxKept + 3 {
		n.leave(noon.Add(time.Duration(i)*time.Hour), fmt.Sprintf("dmesg-efi_pstore-%d", i), "Panic#1 Part1\nKernel panic - not syncing: again\n")
	}
	_, faults := n.boot()
	if len(faults) != 1 {
		t.Errorf("run after %d crashes: faults %v, want one", maxKept+3, faults)
	}
	got := names(t, n.dir)
	if len(got) != maxKept || got[0] != "20261121T150000Z-panic.txt" {
		t.Errorf("run after %d crashes keeps %v, want the last %d", maxKept+3, got, maxKept)
	}
}

// Without a place for it, what the kernel left stays where it is.
func TestRunWithoutRoom(t *testing.T) {
	n := newNode(t)
	n.leave(noon, "dmesg-efi_pstore-1", "Panic#1 Part1\nKernel panic - not syncing: x\n")
	if err := os.Remove(n.dir); err != nil {
		t.Fatal(err)
	}
	_, faults := n.boot()
	if len(faults) != 1 || faults[0].Severity != report.Warning {
		t.Errorf("run without a directory: faults %v, want one warning", faults)
	}
	if got := names(t, n.pstore); len(got) != 1 {
		t.Errorf("run without a directory: left with the firmware %v, want the piece", got)
	}
}

func TestRunUnreadable(t *testing.T) {
	n := newNode(t)
	n.leave(noon, "dmesg-efi_pstore-1.enc.z", "\x78\x9c")
	_, faults := n.boot()
	if len(faults) != 1 || !strings.Contains(faults[0].Detail, "does not say what it is a part of") {
		t.Errorf("run with a piece that is packed: faults %v, want one", faults)
	}
}

func TestAssemble(t *testing.T) {
	part := func(at time.Duration, reason string, number, part int) record {
		return record{file: fmt.Sprint(at, reason, number, part), time: noon.Add(at), reason: reason, number: number, part: part, text: fmt.Sprintf("%d\n", part)}
	}
	tests := []struct {
		name string
		in   []record
		want []string // texts
	}{
		{name: "none"},
		{name: "in any order", in: []record{part(0, "Panic", 1, 2), part(0, "Panic", 1, 3), part(0, "Panic", 1, 1)}, want: []string{"3\n2\n1\n"}},
		{name: "over a second", in: []record{part(0, "Panic", 1, 1), part(time.Second, "Panic", 1, 2)}, want: []string{"2\n1\n"}},
		{name: "a part is missing", in: []record{part(0, "Panic", 1, 3), part(0, "Panic", 1, 1)}, want: []string{"3\n1\n"}},
		{name: "oops and panic", in: []record{part(0, "Panic", 2, 1), part(0, "Oops", 1, 1)}, want: []string{"1\n", "1\n"}},
		{name: "two boots within a minute", in: []record{part(0, "Panic", 1, 1), part(0, "Panic", 1, 2), part(20*time.Second, "Panic", 1, 1)}, want: []string{"2\n1\n", "1\n"}},
		{name: "two boots", in: []record{part(0, "Panic", 1, 1), part(time.Hour, "Panic", 1, 2)}, want: []string{"1\n", "2\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range assemble(tt.in) {
				got = append(got, d.text())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("assemble(%v): texts (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestCause(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{name: "panic", in: "<6>[    1.0] x\n<0>[   12.345678] Kernel panic - not syncing: VFS: Unable to mount root fs\n<0>[   13.0] ---[ end ]---\n", want: "VFS: Unable to mount root fs"},
		{name: "with a thread", in: "<0>[   12.345678][    T1] Kernel panic - not syncing: sysrq triggered crash\n", want: "sysrq triggered crash"},
		{name: "panic after a fault", in: "<1>[ 1.0] BUG: unable to handle page fault\n<0>[ 1.1] Kernel panic - not syncing: Fatal exception\n", want: "Fatal exception"},
		{name: "fault", in: "<1>[ 1.0] BUG: unable to handle page fault\n<4>[ 1.1] RIP: 0010:x\n", want: "BUG: unable to handle page fault"},
		{name: "none", in: "<6>[    1.0] a\n<6>[    1.1] b\n\n", want: "b"},
		{name: "nothing", in: "\n", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := dump{parts: []record{{text: tt.in}}}
			if got := d.cause(); got != tt.want {
				t.Errorf("cause of %q = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
