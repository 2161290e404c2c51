package debtree

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindMirror(t *testing.T) {
	tests := []struct {
		name, named, sources string
		want                 mirror
		err                  string
	}{
		{name: "of this machine", sources: "x-security http://a.test/debian-security/\nx-updates http://b.test/debian/\nx http://c.test/debian/\ny http://d.test/debian/\n", want: mirror{"http://c.test/debian", "http://a.test/debian-security"}},
		{name: "without its security archive", sources: "x http://c.test/debian/\n", want: mirror{"http://c.test/debian", "http://c.test/debian-security"}},
		{name: "named", named: "http://n.test/debian/", want: mirror{"http://n.test/debian", "http://n.test/debian-security"}},
		{name: "of another system", sources: "x http://c.test/other/\n", err: "apt of this machine knows no mirror of Debian; name one with BULKHEAD_DEBIAN_MIRROR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "sources"), []byte(tt.sources), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\ncat "+dir+"/sources\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			t.Setenv(MirrorVariable, tt.named)
			got, err := findMirror(t.Context())
			if text := errorText(err); got != tt.want || text != tt.err {
				t.Errorf("findMirror = %v, %q, want %v, %q", got, text, tt.want, tt.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
