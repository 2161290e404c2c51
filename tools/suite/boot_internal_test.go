package suite

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestDivide(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	const tools = workspace.Module + "/tools/"
	tests := []struct {
		name     string
		patterns []string
		want     []string
		boots    bool
	}{
		{"none that boots", []string{"./tools/run", "./tools/disk/..."}, []string{"./tools/run", "./tools/disk/..."}, false},
		{"one that boots", []string{"./tools/boottest", "./tools/run"}, []string{tools + "run"}, true},
		{"no other", []string{"./tools/boottest/..."}, []string{}, true},
		{"none at all", []string{"./nowhere"}, []string{"./nowhere"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Suite{Root: root}
			got, boots := s.divide(t.Context(), tt.patterns)
			if diff := cmp.Diff(tt.want, got); diff != "" || boots != tt.boots {
				t.Errorf("divide(%q): boots %t, want %t; others (-want +got):\n%s", tt.patterns, boots, tt.boots, diff)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	tests := []struct {
		name string
		opt  Options
		want string
	}{
		{"usual", Options{Packages: []string{"./tools/..."}}, "10m"},
		{"long forms", Options{Soak: true, Packages: []string{bootPackage}}, "2h"},
		{"machines", Options{Packages: []string{bootPackage}}, "60m"},
	}
	for _, tt := range tests {
		if got := tt.opt.timeout(); got != tt.want {
			t.Errorf("timeout of %s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
