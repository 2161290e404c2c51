package kmod_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/kmod"
)

const (
	dep = `kernel/drivers/block/virtio_blk.ko.xz:
kernel/drivers/md/dm-mod.ko:
kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko
kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko
kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko
kernel/lib/libcrc32c.ko:
kernel/crypto/crc32c-intel.ko:
kernel/crypto/post.ko:
kernel/x/a.ko: kernel/x/b.ko
kernel/x/b.ko: kernel/x/a.ko
kernel/x/broken.ko:
kernel/x/needy.ko: kernel/x/broken.ko
`
	alias = `# Aliases extracted from modules themselves.
alias virtio:d00000002v* virtio_blk
alias virtio:d0000001[0-3]v* virtio_more
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias dm-verity-x dm-verity
`
	soft = `softdep libcrc32c pre: crc32c-intel absent post: post
`
)

func read(t *testing.T) *kmod.Set {
	t.Helper()
	set, err := kmod.Read(fstest.MapFS{
		"modules.dep":     {Data: []byte(dep)},
		"modules.alias":   {Data: []byte(alias)},
		"modules.softdep": {Data: []byte(soft)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestForDevice(t *testing.T) {
	set := read(t)
	tests := []struct {
		modalias string
		want     []string
	}{
		{"virtio:d00000002v00001AF4", []string{"virtio_blk"}},
		{"virtio:d00000012v00001AF4", []string{"virtio_more"}},
		{"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", []string{"ahci"}},
		{"virtio:d00000009v00001AF4", nil},
		{"usb:v1", nil},
		{"", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, set.ForDevice(tt.modalias)); diff != "" {
			t.Errorf("ForDevice(%q) (-want +got):\n%s", tt.modalias, diff)
		}
	}
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name   string
		load   []string
		want   []string // base names, in order
		errors string   // of all loads
	}{
		{"needs come first", []string{"dm-verity"}, []string{"dm-mod.ko", "dm-bufio.ko", "dm-verity.ko"}, ""},
		{"each once", []string{"dm_mod", "dm-verity", "dm_verity"}, []string{"dm-mod.ko", "dm-bufio.ko", "dm-verity.ko"}, ""},
		{"compressed", []string{"virtio_blk"}, []string{"virtio_blk.ko.xz"}, ""},
		{"wishes", []string{"erofs"}, []string{"crc32c-intel.ko", "libcrc32c.ko", "post.ko", "erofs.ko"}, ""},
		{"circle", []string{"a"}, []string{"b.ko", "a.ko"}, ""},
		{"unknown", []string{"zfs"}, nil, "load kernel module zfs: there is none"},
		{"need refused", []string{"needy"}, []string{"broken.ko"}, "load kernel module needy: load kernel module broken: no such device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			l := kmod.NewLoader(read(t), func(path string) error {
				name := path[strings.LastIndex(path, "/")+1:]
				got = append(got, name)
				if name == "broken.ko" {
					return errors.New("no such device")
				}
				return nil
			})
			var errs []error
			for _, name := range tt.load {
				errs = append(errs, l.Load(name))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Load(%q): files (-want +got):\n%s", tt.load, diff)
			}
			if text := text(errors.Join(errs...)); text != tt.errors {
				t.Errorf("Load(%q): errors %q, want %q", tt.load, text, tt.errors)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReadRefuses(t *testing.T) {
	tests := []struct {
		name string
		dir  fstest.MapFS
		want string
	}{
		{"nothing there", fstest.MapFS{}, "read the list of kernel modules: open modules.dep: file does not exist"},
		{
			"no colon",
			fstest.MapFS{"modules.dep": {Data: []byte("\na.ko\n")}},
			`read the list of kernel modules: modules.dep: line 2: "a.ko" has no colon`,
		},
		{
			"alias without module",
			fstest.MapFS{"modules.dep": {}, "modules.alias": {Data: []byte("alias x\n")}},
			`read the list of kernel modules: modules.alias: line 1: "alias x" is not "alias PATTERN MODULE"`,
		},
		{
			"bad wish",
			fstest.MapFS{"modules.dep": {}, "modules.alias": {}, "modules.softdep": {Data: []byte("x\n")}},
			`read the list of kernel modules: modules.softdep: line 1: "x" is not "softdep MODULE …"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := kmod.Read(tt.dir)
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("Read: error (-want +got):\n%s", diff)
			}
		})
	}
}
