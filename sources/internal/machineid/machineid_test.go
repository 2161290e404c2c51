package machineid_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/machineid"
)

const digits = "0123456789abcdef0123456789abcdef"

func TestParse(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"a line", digits + "\n", ""},
		{"without its end", digits, ""},
		{"empty", "", `machine id "": want 32 small hexadecimal digits, not all zero`},
		{"zero", strings.Repeat("0", 32), `machine id "00000000000000000000000000000000": want 32 small hexadecimal digits, not all zero`},
		{"large letters", strings.ToUpper(digits), `machine id "0123456789ABCDEF0123456789ABCDEF": want 32 small hexadecimal digits, not all zero`},
		{"two lines", digits + "\n\n", `machine id "0123456789abcdef0123456789abcdef\n": want 32 small hexadecimal digits, not all zero`},
		{"short", digits[2:], `machine id "23456789abcdef0123456789abcdef": want 32 small hexadecimal digits, not all zero`},
		{"others", strings.Repeat("g", 64), `machine id "gggggggggggggggggggggggggggggggggggggggg": want 32 small hexadecimal digits, not all zero`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := machineid.Parse(tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.want, text); diff != "" {
				t.Errorf("Parse(%q): error (-want +got):\n%s", tt.in, diff)
			}
			if (err == nil) != (id.String() == digits) {
				t.Errorf("Parse(%q) = %q", tt.in, id)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := machineid.Read(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of nothing: %v, want %v", err, fs.ErrNotExist)
	}
	if err := machineid.Keep(root, machineid.ID{}); err == nil {
		t.Error("Keep of no id: nil, want an error")
	}
	// What a power cut left of an earlier attempt.
	if err := os.WriteFile(filepath.Join(dir, ".machine-id123"), []byte("01"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := machineid.New()
	if id == machineid.New() {
		t.Error("New gave the same twice")
	}
	if _, err := machineid.Parse(id.String()); err != nil || id.String()[12] != '4' {
		t.Errorf("New gave %q, %v", id, err)
	}
	if err := machineid.Keep(root, id); err != nil {
		t.Fatal(err)
	}
	if got, err := machineid.Read(root); err != nil || got != id {
		t.Errorf("Read = %q, %v, want %q", got, err, id)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("Keep left %v, %v, want one file", entries, err)
	}
}
