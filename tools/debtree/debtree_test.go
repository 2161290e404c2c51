package debtree_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
)

// machine puts stand-ins for apt-get and dpkg-deb first in PATH. They note
// their calls, without the options, in the file that is returned. aptEnd is the
// end of the script of apt-get.
func machine(t *testing.T, aptEnd string) string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	scripts := map[string]string{
		"apt-get": `case $1 in indextargets)
	echo 'bookworm-security http://mirror.test/debian-security/'
	echo 'bookworm http://mirror.test/debian/'
	exit 0;;
esac
cache=
words=
while [ $# -gt 0 ]; do
	case $1 in
	-o) shift; case $1 in Dir::Cache=*) cache=${1#Dir::Cache=};; esac;;
	--yes|--quiet) ;;
	*) words="$words $1";;
	esac
	shift
done
echo "apt-get$words" >>` + log + "\n" + aptEnd,
		"dpkg-deb": `mkdir -p "$3/usr/bin" "$3/usr/share/man/man1"
: >"$3/usr/share/man/man1/x"
echo "program of ${2##*/}" >"$3/usr/bin/x"
ln -s usr/bin "$3/bin"`,
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return log
}

const works = `case $words in *install*) : >"$cache/archives/x_1_all.deb";; esac`

func TestFetch(t *testing.T) {
	log := machine(t, works)
	tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "tools", "trixie"), Suite: "trixie", Packages: []string{"x", "a"}}
	const once = "apt-get update\napt-get install --download-only --no-install-recommends x a\n"
	steps := []struct {
		name   string
		change func()
		want   string // all calls so far
	}{
		{"the first", func() {}, once},
		{"it is there", func() {}, once},
		{"the order of packages", func() { tree.Packages = []string{"a", "x"} }, once},
		{"another package", func() { tree.Packages = []string{"x"} }, once + "apt-get update\napt-get install --download-only --no-install-recommends x\n"},
	}
	for _, step := range steps {
		step.change()
		var out bytes.Buffer
		if err := tree.Fetch(t.Context(), &out); err != nil {
			t.Fatalf("%s: Fetch: %v", step.name, err)
		}
		calls, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, string(calls)); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", step.name, diff)
		}
		if !tree.Find() {
			t.Errorf("%s: Find after Fetch = false, want true", step.name)
		}
	}
	got, err := os.ReadFile(filepath.Join(tree.Dir, "bin", "x"))
	if want := "program of x_1_all.deb\n"; err != nil || string(got) != want {
		t.Errorf("the program in the tree: %q, %v, want %q", got, err, want)
	}
	if _, err := os.Stat(filepath.Join(tree.Dir, "usr/share/man")); err == nil {
		t.Error("the tree holds manual pages, want them dropped")
	}
	left, err := os.ReadDir(filepath.Dir(tree.Dir))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the tree: %v, %v, want nothing", left, err)
	}
}

func TestFetchFails(t *testing.T) {
	tests := []struct{ name, apt, want string }{
		{"no network", "echo 'E: no network' >&2; exit 100", "fetch packages of trixie: apt-get "},
		{"nothing comes", "exit 0", "fetch packages of trixie: apt-get fetched nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			machine(t, tt.apt)
			tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "trixie"), Suite: "trixie", Packages: []string{"x"}}
			err := tree.Fetch(t.Context(), &bytes.Buffer{})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Fetch: error %v, want one that begins %q", err, tt.want)
			}
			if left, _ := os.ReadDir(filepath.Dir(tree.Dir)); len(left) > 0 {
				t.Errorf("Fetch: left %v behind, want nothing", left)
			}
		})
	}
}

func TestFetchWithoutTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "trixie"), Suite: "trixie", Packages: []string{"x"}}
	if err := tree.Fetch(t.Context(), &bytes.Buffer{}); !errors.Is(err, debtree.ErrNoTools) {
		t.Errorf("Fetch: error %v, want %v", err, debtree.ErrNoTools)
	}
}

func TestClone(t *testing.T) {
	machine(t, works)
	tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "trixie"), Suite: "trixie", Packages: []string{"x"}}
	if err := tree.Fetch(t.Context(), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(tree.Dir), "clone")
	if err := tree.Clone(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "bin", "x"))
	if want := "program of x_1_all.deb\n"; err != nil || string(got) != want {
		t.Errorf("the program in the clone: %q, %v, want %q", got, err, want)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if !tree.Find() {
		t.Error("Find after the clone was removed = false, want true")
	}
}
