package recipe

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// An image of our programs alone is made without anything from elsewhere, and
// comes out the same.
func TestBuildPause(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	var built [2]Built
	for i := range built {
		if built[i], err = Build(t.Context(), root, "pause", Options{Out: t.TempDir(), Version: "v1.2.3"}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if built[0].Digest != built[1].Digest || built[0].Size != built[1].Size {
		t.Errorf("two builds are %+v and %+v, want the same digest and size", built[0], built[1])
	}
	if want := "localhost/kubernetes/pause:1.2.3"; built[0].Ref != want {
		t.Errorf("name %s, want %s", built[0].Ref, want)
	}
	if _, err := Build(t.Context(), root, "other", Options{}, io.Discard); err == nil || !strings.Contains(err.Error(), "admin, control, coredns") {
		t.Errorf("Build of an unknown image: %v, want an error with those that there are", err)
	}
}

// What scripts of packages would have made is there.
func TestSystem(t *testing.T) {
	tree := t.TempDir()
	for name, text := range map[string]string{
		"usr/share/base-passwd/passwd.master":     "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"usr/share/base-passwd/group.master":      "root:*:0:\nusers:*:100:\n",
		"usr/share/ca-certificates/mozilla/b.crt": "B\n", "usr/share/ca-certificates/mozilla/a.crt": "A\n", "usr/bin/gawk": "",
	} {
		file := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := ociimage.Files{}
	if err := system(f, tree, []string{"sshd:x:100:65534::/run/sshd:/usr/sbin/nologin"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/etc/passwd":                        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
		"/etc/shadow":                        "root:*:::::::\nnobody:*:::::::\nsshd:*:::::::\n",
		"/etc/group":                         "root:x:0:\nusers:x:100:\n",
		"/etc/ssl/certs/ca-certificates.crt": "A\nB\n",
		"/usr/bin/awk":                       "",
	}
	got := map[string]string{}
	for name := range want {
		got[name] = string(f[name].Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if f["/usr/bin/awk"].Link != "gawk" || f["/usr/bin/vi"].Link != "" {
		t.Errorf("awk leads to %q and vi, which is not there, to %q", f["/usr/bin/awk"].Link, f["/usr/bin/vi"].Link)
	}
}

// Made of the same packages in two directories, an image is the same to the last
// byte.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches packages of Debian")
	}
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"control", "admin"} {
		t.Run(name, func(t *testing.T) {
			var built [2]Built
			opt := Options{Version: Version}
			for i := range built {
				opt.Out, opt.Work = filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "work")
				built[i], err = Build(t.Context(), root, name, opt, io.Discard)
				if errors.Is(err, debtree.ErrNoTools) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				opt.Lock = filepath.Join(opt.Out, name+"-"+lockName)
			}
			if sum(t, built[0].Archive) != sum(t, built[1].Archive) || built[0].Digest != built[1].Digest {
				t.Errorf("two builds of %s are %+v and %+v, want the same bytes", name, built[0], built[1])
			}
		})
	}
}

func sum(t *testing.T, file string) [sha256.Size]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

func TestLocked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	for _, tt := range []struct {
		name, text, err string
	}{
		{"no JSON", "{", "lock " + file + ": unexpected end of JSON input"},
		{"nothing", "[]", "lock " + file + " names no packages"},
	} {
		if err := os.WriteFile(file, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (recipe{packages: []string{"bash"}}).image(t.Context(), workspace.Root(t.TempDir()), "x", Options{Lock: file}, io.Discard); err == nil || err.Error() != tt.err {
			t.Errorf("a lock that is %s: %v, want %s", tt.name, err, tt.err)
		}
	}
}

// The sources that settings name by default are the images that there are
// recipes for.
func TestNames(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root.Path("variants", "shared", "host-containers-off.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"admin", "control"} {
		if !strings.Contains(string(text), `"`+recipes()[name].ref+`:v`) {
			t.Errorf("no default source is %s", recipes()[name].ref)
		}
	}
	if diff := cmp.Diff([]string{"admin", "control", "coredns", "hello", "kube-network-1.36", "kube-network-1.37", "pause"}, Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
}
