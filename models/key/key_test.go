package key_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/key"
)

func TestParse(t *testing.T) {
	tests := []struct{ name, in, want, err string }{
		{name: "plain", in: "settings.motd", want: "settings.motd"},
		{name: "root left out", in: "ntp.time-servers", want: "settings.ntp.time-servers"},
		{name: "root alone", in: "settings", want: "settings"},
		{name: "quoted", in: `kernel.sysctl."vm.max_map_count"`, want: `settings.kernel.sysctl."vm.max_map_count"`},
		{name: "needless quotes go", in: `"motd"`, want: "settings.motd"},
		{name: "quotes inside a segment", in: `a"b"c`, want: "settings.abc"},
		{name: "slash", in: "kernel.sysctl.net/ipv4", want: "settings.kernel.sysctl.net/ipv4"},
		{name: "empty", in: "", err: "key is empty, want a name such as settings.motd"},
		{name: "empty segment", in: "a..b", err: `key "a..b": segment 2 is empty`},
		{name: "leading dot", in: ".a", err: `key ".a": segment 1 is empty`},
		{name: "trailing dot", in: "a.", err: `key "a.": segment 2 is empty`},
		{name: "open quote", in: `a."b`, err: `key "a.\"b": a double quote is not closed`},
		{name: "space", in: "a b", err: `key "a b": character ' ' at byte 2 is not allowed, want letters, digits, _ - / and, in double quotes, dots`},
		{name: "too long", in: strings.Repeat("a", 256), err: `key "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"… has 256 bytes, want at most 255`},
		{name: "longest", in: strings.Repeat("a", 246), want: "settings." + strings.Repeat("a", 246)},
		{name: "too long with its root", in: strings.Repeat("a", 247), err: `key "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"… has 256 bytes with its root, want at most 255`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := key.Parse(tt.in)
			if err != nil {
				if diff := cmp.Diff(tt.err, err.Error()); diff != "" {
					t.Errorf("Parse(%q): error (-want +got):\n%s", tt.in, diff)
				}
				return
			}
			if tt.err != "" || k.String() != tt.want {
				t.Errorf("Parse(%q) = %s, want %s, error %q", tt.in, k, tt.want, tt.err)
			}
		})
	}
}

func TestUnderAndOrder(t *testing.T) {
	a, ab, a2 := key.Of("a"), key.Of("a", "b"), key.Of("a-2")
	if !ab.Under(a) || !a.Under(a) || a.Under(ab) || a2.Under(a) || !ab.Under(key.Key{}) {
		t.Error("Under is wrong for one of a, a.b, a-2 and the root")
	}
	if a.Compare(ab) >= 0 || ab.Compare(a2) >= 0 {
		t.Error("want a < a.b < a-2: a table stands before its content, and its content before its neighbours")
	}
	if got := key.Of("a", "b.c").Parent(); got != a {
		t.Errorf("Parent = %s, want %s", got, a)
	}
	if first, rest := key.Of("a", "b", "c").Cut(); first != "a" || rest != key.Of("b", "c") {
		t.Errorf("Cut = %q, %s", first, rest)
	}
}

// What is accepted prints in a form that reads back as the same key, and its
// segments hold nothing that could leave a file name or a quoted string.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"settings.motd", `a."b.c"`, `a."".b`, "..", "a/../b", "a\x00b", strings.Repeat("a.", 130)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := key.Parse(s)
		if err != nil {
			return
		}
		again, err := key.Parse(k.String())
		if err != nil || again != k {
			t.Errorf("Parse(%q) = %s, which parses as %s, %v", s, k, again, err)
		}
		for seg := range k.Segments() {
			if err := key.ValidSegment(seg); err != nil {
				t.Errorf("Parse(%q) has the segment %q: %v", s, seg, err)
			}
		}
	})
}
