package bootbench

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/probe"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// starts returns some of a system whose figures are the given ones times a
// factor.
func starts(factor float64, names ...string) []start {
	var out []start
	for _, n := range []float64{3, 1, 2} {
		f := probe.Facts{MemTotal: 2e9, MemAvailable: 2e9 - int64(100e6*n*factor)}
		for i, name := range names {
			f.Processes = append(f.Processes, probe.Process{PID: i + 1, Name: name, PSS: int64(5e6 * n * factor)})
		}
		out = append(out, start{seconds: 10 * n * factor, facts: f})
	}
	return out
}

func TestReport(t *testing.T) {
	ours := &system{starts: starts(1, "systemd", "apiserver")}
	stock := &system{starts: starts(2, "systemd", "containerd", "sshd")}
	worse := &system{starts: starts(3, "systemd", "containerd")}
	last := &worse.starts[2].facts
	last.Listeners = append(last.Listeners, probe.Listener{Protocol: "tcp", Addr: netip.MustParseAddrPort("[::]:22")})
	tests := []struct {
		name   string
		node   *system
		debian *system
		want   []Figure
	}{
		{"better", ours, stock, []Figure{
			{"listening ports without a setting", "none", "none", true},
			{"containerd without a workload", "not started", "not started", true},
			{"processes of user space, median", "≤ 12", "2 (stock 3)", true},
			{"memory of user space (sum of PSS) at rest, median", "≤ 60.0 MB", "20.0 MB (stock 60.0 MB)", true},
			{"MemTotal - MemAvailable at rest, median", "≤ 0.8×", "0.50× (200 MB to 400 MB)", true},
			{"from kernel start until healthy, later starts, median", "≤ 0.7×", "0.50× (20.0 s to 40.0 s)", true},
		}},
		{"worse", worse, stock, []Figure{
			{"listening ports without a setting", "none", "tcp [::]:22", false},
			{"containerd without a workload", "not started", "started", false},
			{"processes of user space, median", "≤ 12", "2 (stock 3)", true},
			{"memory of user space (sum of PSS) at rest, median", "≤ 60.0 MB", "60.0 MB (stock 60.0 MB)", true},
			{"MemTotal - MemAvailable at rest, median", "≤ 0.8×", "1.50× (600 MB to 400 MB)", false},
			{"from kernel start until healthy, later starts, median", "≤ 0.7×", "1.50× (60.0 s to 40.0 s)", false},
		}},
		{"alone", ours, nil, []Figure{
			{"listening ports without a setting", "none", "none", true},
			{"containerd without a workload", "not started", "not started", true},
			{"processes of user space, median", "≤ 12", "2", true},
			{"memory of user space (sum of PSS) at rest, median", "≤ 60.0 MB", "20.0 MB", true},
			{"MemTotal - MemAvailable at rest, median", "", "200 MB", true},
			{"from kernel start until healthy, later starts, median", "", "20.0 s", true},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{out: io.Discard}
			b.report(tt.node, tt.debian)
			if diff := cmp.Diff(tt.want, b.figures); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangedBlocks(t *testing.T) {
	a, b, c := strings.Repeat("a", blockSize), strings.Repeat("b", blockSize), strings.Repeat("c", blockSize)
	tests := []struct {
		name, old, fresh string
		want             float64
	}{
		{"the same", a + b, a + b, 0},
		{"moved", a + b, b + a + a, 0},
		{"one of two", a + b, a + c, 0.5},
		{"all", a + b, c, 1},
		{"a last one that is not whole", a + "tail", a + "tale", 0.5},
		{"nothing left", a, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
			must(t, os.WriteFile(old, []byte(tt.old), 0o644))
			must(t, os.WriteFile(fresh, []byte(tt.fresh), 0o644))
			if got, err := changedBlocks(old, fresh); err != nil || got != tt.want {
				t.Errorf("changedBlocks: %v, %v, want %v", got, err, tt.want)
			}
		})
	}
	if _, err := changedBlocks("/nowhere", "/nowhere"); !os.IsNotExist(err) {
		t.Errorf("changedBlocks of what is not there: %v, want that", err)
	}
}

// The go command takes the change for one of the program that it is to be in.
func TestOverlay(t *testing.T) {
	root, err := workspace.Find(".")
	must(t, err)
	b := &bench{root: root, dir: t.TempDir()}
	overlay, err := b.overlay()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-overlay="+overlay, "-deps", "./sources/cmd/bulkhead")
	cmd.Dir = string(root)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if !bytes.Contains(out, []byte("/"+filepath.Dir(changed)+"\n")) {
		t.Errorf("bulkhead is not made of %s, whose change is to be measured", changed)
	}
	if len(was) != len(becomes) {
		t.Errorf("%q and %q differ in length, so more than the text changes", was, becomes)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
