package debtree

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseIndex(t *testing.T) {
	const text = `Package: libssl3t64
Source: openssl
Version: 3.5.1-1+deb13u1
Architecture: amd64
Description: Secure Sockets Layer toolkit
 Version: not this one
Size: 2400
SHA256: ab

Package: zlib1g
Source: zlib (1:1.3-1)
Version: 1:1.3-1+b1
Architecture: amd64
Size: 88
SHA256: cd

Package: zlib1g
Source: zlib (1:1.3-1)
Version: 1:1.3-1+b1
Architecture: amd64
Size: 88
SHA256: cd

`
	want := Record{
		{Name: "libssl3t64", Version: "3.5.1-1+deb13u1", Arch: "amd64", Source: "openssl 3.5.1-1+deb13u1", SHA256: "ab", Size: 2400},
		{Name: "zlib1g", Version: "1:1.3-1+b1", Arch: "amd64", Source: "zlib 1:1.3-1", SHA256: "cd", Size: 88},
	}
	got, err := parseIndex(text)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("parseIndex: %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "Package: a\nVersion: 1\nSize: x\nSHA256: ab\n", "Version: 1\nSize: 1\nSHA256: ab\n"} {
		if got, err := parseIndex(bad); err == nil {
			t.Errorf("parseIndex(%q) = %v, want an error", bad, got)
		}
	}
}
