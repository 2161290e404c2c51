package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBudgetCheck(t *testing.T) {
	budget := Budget{SizeMB: 100, InitrdMB: 2, Executables: 2, Units: 10}
	two := []File{{Path: "/usr/bin/large", Size: 5e6}, {Path: "/usr/bin/small", Size: 1e6}}
	tests := []struct {
		name string
		use  use
		want []string // none when it fits
	}{
		{"fits", use{size: 100e6, initrd: 2e6, executables: two, units: 10}, nil},
		{"too large", use{size: 101e6, executables: two}, []string{"MB of root file system and boot program: 101, the budget is 100; the largest programs, unpacked: /usr/bin/large 5.0 MB, /usr/bin/small 1.0 MB"}},
		{"everything", use{size: 200e6, initrd: 3e6, executables: append(two, two...), units: 11}, []string{"the budget is 100;", "MB of initrd: 3, the budget is 2", "executables: 4, the budget is 2", "units: 11, the budget is 10"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := budget.check(tt.use)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("check: %v, want an error: %t", err, tt.want != nil)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("check: %v, want %q in it", err, part)
				}
			}
		})
	}
}

func TestReadBudget(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"dev": "units = 1\n", "qemu-dev": "units = 2\n", "typo": "unit = 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name+".toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for variant, want := range map[string]int{"qemu-dev": 2, "metal-dev": 1} {
		if b, err := readBudget(dir, variant, "dev"); err != nil || b.Units != want {
			t.Errorf("readBudget(%s) = %+v, %v, want %d units", variant, b, err, want)
		}
	}
	if _, err := readBudget(dir, "typo", "dev"); err == nil {
		t.Error("readBudget with an unknown key: no error")
	}
	if _, err := readBudget(dir, "x", "k8s"); err == nil || !strings.Contains(err.Error(), "no budget in ") {
		t.Errorf("readBudget of none: %v, want it to say so", err)
	}
}
