package apply

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestCPUs(t *testing.T) {
	own := runtime.NumCPU()
	tests := []struct {
		name, text string
		want       int
	}{
		{"one", "0\n", 1},
		{"range", "0-3\n", 4},
		{"ranges", "0-3,6,8-9\n", 7},
		{"empty", "", own},
		{"backwards", "3-0\n", own},
		{"no number", "0-x\n", own},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "online")
			must(t, os.WriteFile(file, []byte(tt.text), 0o644))
			if got := cpus(file); got != tt.want {
				t.Errorf("cpus of %q = %d, want %d", tt.text, got, tt.want)
			}
		})
	}
	if got := cpus("/nonexistent"); got != own {
		t.Errorf("cpus of no file = %d, want %d", got, own)
	}
}

func TestNodeFacts(t *testing.T) {
	got := nodeFacts("eu-west-1")
	if got.Hostname == "" || got.CPUs < 1 || got.Memory < 1<<20 || got.Region != "eu-west-1" {
		t.Errorf("nodeFacts = %+v, want a host name, CPUs, memory and the region", got)
	}
}

func TestHasEFA(t *testing.T) {
	dir := t.TempDir()
	if hasEFA(dir) {
		t.Error("hasEFA without devices = true")
	}
	must(t, os.WriteFile(filepath.Join(dir, "bind"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "0000:00:06.0"), nil, 0o644))
	if !hasEFA(dir) {
		t.Error("hasEFA with a device = false")
	}
}
