package debtree_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		"dpkg-deb": `case $1 in --show)
	printf 'x\n1\nall\nsource-of-x 1\n'
	exit 0;;
esac
mkdir -p "$3/usr/share/doc/x"
: >"$3/usr/share/doc/x/copyright"
: >"$3/usr/share/doc/x/changelog.gz"
ln -s x "$3/usr/share/doc/y"
printf '%s\n' ./ ./usr/ ./usr/bin/ ./usr/bin/x ./bin
mkdir -p "$3/usr/bin" "$3/usr/share/man/man1"
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

const works = `case $words in *install*) : >"$cache/archives/x_1_all.deb";; *download*) : >x_1_all.deb;; esac`

// emptySum is the SHA-256 of the empty file that stands for a package.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestFetchLocked(t *testing.T) {
	lock := func(version, sum string) debtree.Record {
		return debtree.Record{{Name: "x", Version: version, SHA256: sum}}
	}
	tests := []struct {
		name, apt string
		lock      debtree.Record
		want      string // error
	}{
		{"as locked", works, lock("1", emptySum), ""},
		{"another package behind the same name", works, lock("1", "0000"), "package x 1 has the SHA-256 " + emptySum + ", the lock wants 0000 of 1"},
		{"gone", "case $words in *download*) echo 'E: Version not found' >&2; exit 100;; esac", lock("0.9", emptySum), "the mirror has it no more"},
		{"one too few", works, append(lock("1", emptySum), debtree.Package{Name: "y", Version: "2"}), "package y of the lock was not fetched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := machine(t, tt.apt)
			tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "trixie"), Suite: "trixie", Packages: []string{"x"}, Lock: tt.lock}
			err := tree.Fetch(t.Context(), &bytes.Buffer{})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("Fetch: error %v, want one with %q", err, tt.want)
				}
				if tree.Find() {
					t.Error("Find after a fetch that failed = true, want false")
				}
				return
			}
			if err != nil {
				t.Fatalf("Fetch: %v", err)
			}
			calls, err := os.ReadFile(log)
			if want := "apt-get update\napt-get download x=1\n"; err != nil || string(calls) != want {
				t.Errorf("calls %q, %v, want %q", calls, err, want)
			}
		})
	}
}

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
	docs, err := filepath.Glob(filepath.Join(tree.Dir, "usr/share/doc/[xy]/*"))
	if err != nil || len(docs) != 2 || filepath.Base(docs[0]) != "copyright" || filepath.Base(docs[1]) != "copyright" {
		t.Errorf("documentation in the tree: %v, %v, want the copyright only, by both names", docs, err)
	}
	record, err := tree.Record()
	wantRecord := debtree.Record{{Name: "x", Version: "1", Arch: "all", Source: "source-of-x 1", SHA256: emptySum}}
	if diff := cmp.Diff(wantRecord, record); err != nil || diff != "" {
		t.Errorf("Record: %v (-want +got):\n%s", err, diff)
	}
	owners, err := tree.Owners()
	if diff := cmp.Diff(map[string]string{"/usr/bin/x": "x", "/bin": "x"}, owners); err != nil || diff != "" {
		t.Errorf("Owners: %v (-want +got):\n%s", err, diff)
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

// Programs that want the same tree at the same time get one, which is not
// replaced under their hands.
func TestFetchAtTheSameTime(t *testing.T) {
	log := machine(t, works)
	tree := debtree.Tree{Dir: filepath.Join(t.TempDir(), "trixie"), Suite: "trixie", Packages: []string{"x"}}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := tree.Fetch(t.Context(), io.Discard); err != nil {
				t.Errorf("Fetch: %v", err)
			}
		})
	}
	all.Wait()
	calls, err := os.ReadFile(log)
	if n := strings.Count(string(calls), " update"); n != 1 || err != nil {
		t.Errorf("five calls of Fetch fetched %d times, %v, want once:\n%s", n, err, calls)
	}
}
