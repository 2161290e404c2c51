package image_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// build builds the image of opt in new directories, and returns the one that it is
// in.
func build(t *testing.T, root workspace.Root, opt image.Options) string {
	t.Helper()
	opt.Version, opt.Out, opt.Work = "1.2.3", filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "work")
	err := image.Build(t.Context(), root, opt, t.Output())
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return opt.Out
}

// checkLeft reports what is mounted below dir, and loop devices whose files are.
func checkLeft(t *testing.T, dir string) {
	t.Helper()
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(loops, "/proc/self/mountinfo") {
		text, err := os.ReadFile(name)
		if err == nil && bytes.Contains(text, []byte(dir)) {
			t.Errorf("%s has, after a build:\n%s", name, text)
		}
	}
}

// Built in two directories, an image is the same to the last byte, and there is
// nothing in it that lets somebody run what is not in it. The disk in the other
// form holds the same, and nothing is left on the machine. With BULKHEAD_SOAK the
// second one is built from packages that are fetched once more, by the lock of the
// first.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two images, which takes long")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the image is for x86_64, and so are the programs that make it")
	}
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	first := build(t, root, image.Options{Variant: "qemu-dev"})
	opt := image.Options{Variant: "qemu-dev", Qcow2: true}
	if os.Getenv("BULKHEAD_SOAK") != "" {
		opt.Lock = filepath.Join(first, image.LockFile)
	}
	second := build(t, root, opt)
	checkLeft(t, filepath.Dir(t.TempDir())) // of all those of the test
	for _, name := range []string{
		image.RootFile, image.TreeFile, image.InitrdFile, image.UKIFile, image.CmdlineFile, image.ManifestFile, image.DiskFile,
		image.LockFile, image.SBOMFile,
	} {
		if !bytes.Equal(sum(t, filepath.Join(first, name)), sum(t, filepath.Join(second, name))) {
			t.Errorf("two builds of the image differ in %s", name)
		}
	}
	checkFiles(t, filepath.Join(first, image.ManifestFile))
	compare, err := debtree.Program(root.Path("build", "image", "tools"), "/usr/bin/qemu-img", "compare", filepath.Join(first, image.DiskFile), filepath.Join(second, image.Qcow2File))
	if err == nil {
		err = compare.Run(t.Context())
	}
	if err != nil {
		t.Errorf("the disk as qcow2 differs from the one as it is: %v", err)
	}
}

func sum(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}

// checkFiles looks at the files of an image: all that can be run, except
// libraries, is listed here.
func checkFiles(t *testing.T, manifest string) {
	t.Helper()
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m image.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.Files {
		if dir := path.Dir(f.Path); !strings.HasSuffix(f.Path, "/") && (dir == "/usr/bin" || dir == "/usr/sbin") {
			got = append(got, path.Base(f.Path))
		}
	}
	want := []string{
		"apiclient", "apiserver", "apply", "boot-settings", "boot-slot", "bootstrap-commands", "bootstrap-containers", "bulkhead",
		"bulkhead-containers", "chronyc", "console-status", "container-service", "containerd", "containerd-shim-runc-v2", "containers",
		"crash-report", "dbus-broker", "dbus-broker-launch", "disk-names", "host-containers", "journalctl", "kernel-settings", "kmod", "mount", "network-config",
		"networkctl", "power", "provision", "resolvectl", "storage", "systemctl", "systemd-inhibit", "systemd-tmpfiles",
		"trust-store", "udevadm", "umount", "updater", "chronyd", "e2fsck", "lsmod", "mke2fs", "modinfo", "modprobe", "runc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("programs of the image (-want +got):\n%s", diff)
	}
}
