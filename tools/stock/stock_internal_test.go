package stock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What an installer writes takes the place of files that others have, too, and
// leaves those as they are.
func TestWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making devices takes root's rights")
	}
	system, shared := t.TempDir(), filepath.Join(t.TempDir(), "hosts")
	must(t, os.WriteFile(shared, []byte("of the package"), 0o644))
	must(t, os.MkdirAll(filepath.Join(system, "etc"), 0o755))
	must(t, os.Link(shared, filepath.Join(system, "etc/hosts")))
	for from := range copies {
		must(t, os.MkdirAll(filepath.Join(system, filepath.Dir(from)), 0o755))
		must(t, os.WriteFile(filepath.Join(system, from), []byte("content of "+from), 0o644))
	}
	for range 2 { // also over what is there
		must(t, write(system))
	}
	for name, want := range files {
		if got := read(t, filepath.Join(system, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for from, to := range copies {
		if got, want := read(t, filepath.Join(system, to)), "content of "+from; got != want {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
	for name, want := range links {
		if got, err := os.Readlink(filepath.Join(system, name)); err != nil || got != want {
			t.Errorf("link %s: %q, %v, want %q", name, got, err, want)
		}
	}
	if got := read(t, shared); got != "of the package" {
		t.Errorf("the file of the package is %q now", got)
	}
	if info, err := os.Stat(filepath.Join(system, "tmp")); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("tmp: %v, %v, want one for everybody", info, err)
	}
}

func TestTakeKernel(t *testing.T) {
	system, dir := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(filepath.Join(system, "boot"), 0o755))
	if _, err := takeKernel(system, dir); err == nil || !strings.Contains(err.Error(), "0 files boot/") {
		t.Errorf("takeKernel without any: %v, want that there is none", err)
	}
	for _, name := range []string{"vmlinuz-6.1", "initrd.img-6.1"} {
		must(t, os.WriteFile(filepath.Join(system, "boot", name), []byte(name), 0o644))
	}
	k, err := takeKernel(system, dir)
	must(t, err)
	if read(t, k.Image) != "vmlinuz-6.1" || read(t, k.Initrd) != "initrd.img-6.1" || !strings.Contains(k.Cmdline, "root=/dev/vda") {
		t.Errorf("takeKernel: %+v, want copies of both files", k)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
