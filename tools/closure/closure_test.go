package closure_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/closure"
)

// tree makes a tree of files, links ("-> target") among them.
func tree(t *testing.T, files map[string]string) *closure.Tree {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		target, isLink := strings.CutPrefix(text, "-> ")
		err := error(nil)
		if isLink {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := closure.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOf(t *testing.T) {
	c := tree(t, map[string]string{
		"usr/bin/udevadm":                  "a program",
		"usr/lib/systemd/systemd-udevd":    "-> ../../bin/udevadm",
		"usr/lib/x/absolute":               "-> /bin/udevadm",
		"usr/lib/systemd/system/masked":    "-> /dev/null",
		"usr/lib/modules/6.12/vfat.ko":     "a module",
		"usr/lib/modules/6.12/fat.ko":      "a module",
		"usr/lib/modules/6.12/nls.ko":      "a module",
		"usr/lib/modules/6.12/alone.ko":    "a module",
		"usr/lib/modules/6.12/modules.dep": "vfat.ko: fat.ko\nfat.ko: nls.ko\nnls.ko:\nalone.ko:\n",
		"usr/bin/script":                   "#",
	})
	tests := []struct {
		name string
		from []string
		want []string
	}{
		{name: "nothing"},
		{name: "link", from: []string{"/usr/lib/systemd/systemd-udevd"}, want: []string{"/usr/bin/udevadm", "/usr/lib/systemd/systemd-udevd"}},
		{name: "link by the short way", from: []string{"/usr/lib/x/absolute"}, want: []string{"/usr/bin/udevadm", "/usr/lib/x/absolute"}},
		{name: "link out of the tree", from: []string{"/usr/lib/systemd/system/masked"}, want: []string{"/usr/lib/systemd/system/masked"}},
		{
			name: "modules", from: []string{"/usr/lib/modules/6.12/vfat.ko", "/usr/lib/modules/6.12/fat.ko"},
			want: []string{"/usr/lib/modules/6.12/fat.ko", "/usr/lib/modules/6.12/nls.ko", "/usr/lib/modules/6.12/vfat.ko"},
		},
		{name: "neither program nor link", from: []string{"/usr/bin/script", "/usr/lib/modules/6.12/alone.ko"}, want: []string{"/usr/bin/script", "/usr/lib/modules/6.12/alone.ko"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Of(tt.from)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, append([]string(nil), got...)); diff != "" {
				t.Errorf("Of(%q) (-want +got):\n%s", tt.from, diff)
			}
		})
	}
}

func TestOfWhatIsNotThere(t *testing.T) {
	_, err := tree(t, nil).Of([]string{"/usr/bin/gone"})
	if err == nil || !strings.HasPrefix(err.Error(), "what /usr/bin/gone needs: ") {
		t.Errorf("Of a file that is not there: error %v, want one that names it", err)
	}
}

// The programs of this machine are as good as any.
func TestOfAProgram(t *testing.T) {
	const program = "/usr/bin/env"
	if found, err := filepath.Glob("/usr/lib/*-linux-gnu/libc.so.6"); err != nil || len(found) == 0 {
		t.Skip("this machine keeps its libraries elsewhere")
	}
	c, err := closure.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Of([]string{program})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"/libc.so.6", "/ld-linux"} {
		if !slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, part) }) {
			t.Errorf("Of(%q) is %q, want a file with %q", program, got, part)
		}
	}
}
