package kernel_test

import (
	"path"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
)

func TestParseSysctlKey(t *testing.T) {
	valuetest.Texts(t, kernel.ParseSysctlKey, []valuetest.Text{
		{Name: "dots", In: "net.ipv4.ip_forward"},
		{Name: "slashes", In: "net/ipv4/conf/eth0.100/forwarding"},
		{Name: "mixed", In: "net.ipv4/conf"},
		{Name: "ends in a separator", In: "net."},
		{Name: "two slashes", In: "a//b"},
		{Name: "longest", In: strings.Repeat("a", 128)},
		{Name: "empty", In: "", Want: `sysctl key "" has 0 bytes, want 1 to 128`},
		{Name: "too long", In: strings.Repeat("a", 129), Want: `sysctl key "` + strings.Repeat("a", 80) + `" has 129 bytes, want 1 to 128`},
		{Name: "leading dot", In: ".net", Want: `sysctl key ".net" starts with '.'`},
		{Name: "leading slash", In: "/etc/passwd", Want: `sysctl key "/etc/passwd" starts with '/'`},
		{Name: "two dots", In: "net/../../etc", Want: `sysctl key "net/../../etc" has two dots in a row`},
		{Name: "space", In: "a b", Want: `sysctl key "a b": byte 2 is not a letter, a digit or one of . _ - /`},
		{Name: "star", In: "net.ipv4.conf.*", Want: `sysctl key "net.ipv4.conf.*": byte 15 is not a letter, a digit or one of . _ - /`},
	})
}

func TestSysctlKeyPath(t *testing.T) {
	for in, want := range map[string]string{
		"net.ipv4.ip_forward":               "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":               "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"net/ipv4/conf/eth0.100/forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"swappiness":                        "swappiness",
		"a.//.//.b":                         "a///////b",
	} {
		if got := valuetest.Parse[kernel.SysctlKey](t, in).Path(); got != want {
			t.Errorf("Path of %s = %s, want %s", in, got, want)
		}
	}
}

// Root writes to the path, so it must not lead out of /proc/sys.
func FuzzSysctlKey(f *testing.F) {
	for _, s := range []string{"net.ipv4", "a.//.//.b", "a/./b", "../x", "a./"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := kernel.ParseSysctlKey(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		if p := path.Join("/proc/sys", v.Path()); !strings.HasPrefix(p, "/proc/sys/") || strings.Contains(v.Path(), "..") {
			t.Errorf("path of %q is %q, which leads to %q", s, v.Path(), p)
		}
	})
}
