package initrd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const hash = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReadOptions(t *testing.T) {
	tests := []struct {
		name, line string
		wait       time.Duration
		want       string // the error
	}{
		{"among others", "console=ttyS0 quiet roothash=" + hash + " panic=3\n", patience, ""},
		{"alone", "roothash=" + hash, patience, ""},
		{"quoted", `"roothash=` + hash + `"`, patience, ""},
		{"wait", "rootwait=5 roothash=" + hash, 5 * time.Second, ""},
		{"not in a quoted value", `a="b roothash=1" roothash=` + hash, patience, ""},
		{"for systemd", "roothash=" + hash + " -- roothash=1", patience, ""},
		{"none", "quiet xroothash=" + hash, 0, "kernel command line: no roothash=, so it is not known what to start"},
		{"empty", "", 0, "kernel command line: no roothash=, so it is not known what to start"},
		{"two", "roothash=" + hash + " roothash=" + hash, 0, "kernel command line: roothash= stands there 2 times, want once"},
		{"short", "roothash=ab", 0, `kernel command line: root hash "ab": want 64 hexadecimal digits`},
		{"no time", "rootwait roothash=" + hash, 0, "kernel command line: rootwait: want a number of seconds"},
		{"long time", "rootwait=65536 roothash=" + hash, 0, "kernel command line: rootwait=65536: want a number of seconds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt, err := readOptions(tt.line)
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Fatalf("readOptions(%q): error (-want +got):\n%s", tt.line, diff)
			}
			if opt.wait != tt.wait || err == nil && opt.root.String() != hash {
				t.Errorf("readOptions(%q) = %s, %s, want %s, %s", tt.line, opt.root, opt.wait, hash, tt.wait)
			}
		})
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\n", nil},
		{"a  b\tc\n", []string{"a", "b", "c"}},
		{`a="b c" "d e"f`, []string{"a=b c", "d ef"}},
		{`""`, []string{""}},
		{`"open end`, []string{"open end"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, words(tt.line)); diff != "" {
			t.Errorf("words(%q) (-want +got):\n%s", tt.line, diff)
		}
	}
}

// What the kernel would drop is counted instead.
func TestLines(t *testing.T) {
	var long []string
	for i := range 20 {
		long = append(long, fmt.Sprint(i))
	}
	tests := []struct {
		name string
		text []string
		want []string
	}{
		{"one", []string{"a", ""}, []string{"a"}},
		{"as many as there may be", long[:7], long[:7]},
		{"more", long, append(long[:6:6], "and 14 more")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lines(strings.Join(tt.text, "\n"))); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}
