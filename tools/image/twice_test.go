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

// build builds the image of a variant in new directories, and returns the one
// that it is in.
func build(t *testing.T, variant string) string {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	opt := image.Options{Variant: variant, Version: "1.2.3", Out: filepath.Join(t.TempDir(), "out"), Work: filepath.Join(t.TempDir(), "work")}
	err = image.Build(t.Context(), root, opt, t.Output())
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return opt.Out
}

// Built in two directories, an image is the same to the last byte, and there is
// nothing in it that lets somebody run what is not in it.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two images, which takes long")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the image is for x86_64, and so are the programs that make it")
	}
	first, second := build(t, "qemu-dev"), build(t, "qemu-dev")
	for _, name := range []string{
		image.RootFile, image.TreeFile, image.InitrdFile, image.UKIFile, image.CmdlineFile, image.ManifestFile, image.DiskFile,
	} {
		if !bytes.Equal(sum(t, filepath.Join(first, name)), sum(t, filepath.Join(second, name))) {
			t.Errorf("two builds of the image differ in %s", name)
		}
	}
	checkFiles(t, filepath.Join(first, image.ManifestFile))
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
		"bulkhead-containers", "chronyc", "console-status", "containerd", "containerd-shim-runc-v2", "crash-report", "dbus-broker",
		"dbus-broker-launch", "disk-names", "host-containers", "journalctl", "kernel-settings", "kmod", "mount", "network-config",
		"networkctl", "power", "provision", "resolvectl", "storage", "systemctl", "systemd-inhibit", "systemd-tmpfiles",
		"trust-store", "udevadm", "umount", "updater", "chronyd", "e2fsck", "lsmod", "mke2fs", "modinfo", "modprobe", "runc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("programs of the image (-want +got):\n%s", diff)
	}
}
