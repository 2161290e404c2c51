package debian_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debian"
)

// machine gives the test a PATH with only the stand-ins and a directory in
// which they leave marks; body is what apt-get does there.
func machine(t *testing.T, body string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if body != "" {
		body = "#!/bin/sh\necho \"apt-get $*\" >>" + dir + "/log\n" + body + "\n"
		if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

// compiler is present once the stand-in for apt-get has left its mark.
func compiler(dir string) debian.Need {
	return debian.Need{
		What:     "a compiler",
		Packages: []string{"gcc", "libc6-dev"},
		Present: func(context.Context) bool {
			_, err := os.Stat(filepath.Join(dir, "gcc"))
			return err == nil
		},
	}
}

func TestEnsure(t *testing.T) {
	const install = "apt-get install --yes --no-install-recommends gcc libc6-dev\n"
	tests := []struct {
		name, apt string
		root      bool
		log       string
		want      string // the error
	}{
		{
			name: "lists are there", root: true, apt: `: >"${0%/*}/gcc"`,
			log: install,
		},
		{
			name: "lists must be fetched first", root: true,
			apt: `case $1 in update) : >"${0%/*}/lists";; *) test -e "${0%/*}/lists" && : >"${0%/*}/gcc";; esac`,
			log: install + "apt-get update\n" + install,
		},
		{
			name: "no network", root: true, apt: `echo 'E: no network' >&2; exit 100`,
			log:  install + "apt-get update\n",
			want: "a compiler: missing; apt-get update: exit status 100: E: no network",
		},
		{
			name: "installed to no avail", root: true, apt: `:`,
			log:  install,
			want: "a compiler: still missing with gcc, libc6-dev installed",
		},
		{
			name: "not root", apt: `:`,
			want: "a compiler: missing; run as root: apt-get install gcc libc6-dev",
		},
		{
			name: "not Debian", root: true,
			want: "a compiler: missing; without apt-get it is not known how to install it here; on Debian: apt-get install gcc libc6-dev",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := machine(t, tt.apt)
			var out bytes.Buffer
			err := debian.Installer{Out: &out, Root: tt.root}.Ensure(t.Context(), compiler(dir))
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("Ensure: error (-want +got):\n%s", diff)
			}
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			if diff := cmp.Diff(tt.log, string(log)); diff != "" {
				t.Errorf("Ensure: calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnsurePresent(t *testing.T) {
	dir := machine(t, `exit 1`)
	if err := os.WriteFile(filepath.Join(dir, "gcc"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := (debian.Installer{Out: &out}).Ensure(t.Context(), compiler(dir)); err != nil {
		t.Errorf("Ensure of what is present: %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("Ensure of what is present says %q, want nothing", out.String())
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
