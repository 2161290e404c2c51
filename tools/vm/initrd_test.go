package vm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/cpio"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/verity"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// The tests in this file start sources/cmd/initrd in a machine whose root is a
// file system with one program.

// A bench holds what the machines of a test are put together from.
type bench struct {
	root     workspace.Root
	emulator vm.Emulator
	kernel   vm.Kernel // without the root hash
	disk     string
	hash     verity.Hash
	dir      string
}

// kernelTree holds the kernel, and the programs that make a file system.
func kernelTree(root workspace.Root) debtree.Tree {
	return debtree.Tree{
		Dir: root.Path("build", "tools", "kernel"), Suite: "trixie",
		Packages: []string{"linux-image-cloud-amd64", "erofs-utils", "kmod"},
	}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("starts virtual machines, which takes long")
	}
	root, emulator := prepare(t)
	tree := kernelTree(root)
	must(t, tree.Fetch(t.Context(), t.Output()))
	b := &bench{root: root, emulator: emulator, dir: t.TempDir()}
	b.makeDisk(t, tree.Dir)
	b.makeKernel(t, tree.Dir)
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// build builds a command of ours, static.
func (b *bench) build(t *testing.T, dir, output string) {
	t.Helper()
	cmd := b.root.Go("build", "-trimpath", "-ldflags=-s -w", "-o", output, dir)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	if err := cmd.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// tool runs a program of the tree.
func tool(t *testing.T, tree, name string, args ...string) {
	t.Helper()
	cmd, err := debtree.Program(tree, name, args...)
	if err == nil {
		err = cmd.Run(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeDisk makes a disk with a root that holds the stand-in for systemd.
func (b *bench) makeDisk(t *testing.T, tree string) {
	t.Helper()
	stage := b.path("stage")
	for _, dir := range []string{"dev", "etc", "proc", "run", "sys", "usr/lib/systemd", "usr/share/factory/etc/dir"} {
		must(t, os.MkdirAll(filepath.Join(stage, dir), 0o755))
	}
	factory := filepath.Join(stage, "usr/share/factory/etc")
	must(t, os.WriteFile(filepath.Join(factory, "dir/file"), []byte("from the factory"), 0o640))
	must(t, os.Symlink("dir/file", filepath.Join(factory, "link")))
	b.build(t, "./tools/vm/testdata/first", filepath.Join(stage, "usr/lib/systemd/systemd"))

	image, hashes := b.path("root.erofs"), b.path("root.verity")
	tool(t, tree, "/usr/bin/mkfs.erofs", "--quiet", "-T1", "--all-root", "-zlz4hc,1", image, stage)
	data, err := os.ReadFile(image)
	must(t, err)
	var out bytes.Buffer
	b.hash, err = verity.Format(&out, bytes.NewReader(data), int64(len(data)), verity.Params{Salt: sha256.Sum256(nil)})
	must(t, err)
	must(t, os.WriteFile(hashes, out.Bytes(), 0o644))

	b.disk = b.path("disk.raw")
	must(t, disk.Layout{Size: 64 << 20, Partitions: []disk.Partition{
		{Name: "OTHER", Type: disk.GUID{1}, UUID: disk.GUID{1}, Size: 1 << 20},
		{Name: "ROOT-A", Type: disk.GUID{2}, UUID: disk.GUIDOf([16]byte(b.hash[:16])), Size: 16 << 20, Content: image},
		{Name: "ROOT-A-VERITY", Type: disk.GUID{3}, UUID: disk.GUIDOf([16]byte(b.hash[16:])), Size: 1 << 20, Content: hashes},
	}}.Write(b.disk))
}

// makeKernel makes the RAM disk: our program, and modules as Debian packs them.
func (b *bench) makeKernel(t *testing.T, tree string) {
	t.Helper()
	images, err := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		t.Fatalf("kernels in %s: %q, %v, want one", tree, images, err)
	}
	version := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	stage := b.path("initrd")
	from, to := filepath.Join(tree, "usr/lib/modules", version), filepath.Join(stage, "usr/lib/modules", version)
	for _, part := range []string{
		"modules.builtin", "modules.order", "kernel/drivers/block/virtio_blk.ko.xz", "kernel/drivers/md",
		"kernel/fs/erofs", "kernel/fs/netfs", "kernel/lib", "kernel/arch/x86/crypto", "kernel/crypto",
	} {
		must(t, copyTree(filepath.Join(from, part), filepath.Join(to, part)))
	}
	// depmod looks below lib, which is usr/lib.
	must(t, os.Symlink("usr/lib", filepath.Join(stage, "lib")))
	tool(t, tree, "/usr/sbin/depmod", "-b", stage, version)
	b.build(t, "./sources/cmd/initrd", filepath.Join(stage, "init"))

	b.kernel = vm.Kernel{Image: images[0], Initrd: b.path("initrd.cpio"), Cmdline: "console=ttyS0 quiet panic=3 rootwait=1"}
	must(t, pack(stage, b.kernel.Initrd))
}

// copyTree copies a file, or the files of a directory.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// pack makes an archive of what is in a directory.
func pack(dir, archive string) error {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, name)
		if err = errors.Join(err, relErr); err != nil || rel == "." {
			return err
		}
		switch {
		case d.IsDir():
			return w.Dir(rel, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return w.File(rel, data, 0o755)
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return os.WriteFile(archive, b.Bytes(), 0o644)
}

// start switches on a machine with the disk, whose kernel has words added to its
// command line.
func (b *bench) start(t *testing.T, ctx context.Context, image, words string) *vm.VM {
	t.Helper()
	kernel := b.kernel
	kernel.Cmdline += " " + words
	machine, err := vm.Start(ctx, b.emulator, vm.Machine{
		Name: t.Name(), Dir: t.TempDir(), Memory: 512, Kernel: &kernel, OnReboot: vm.TurnOff,
		Disks: []vm.Disk{{Path: image, Write: vm.Forget}},
	})
	must(t, err)
	t.Cleanup(func() {
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	})
	return machine
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestInitrd(t *testing.T) {
	b := newBench(t)
	damaged, beheaded := b.path("damaged.raw"), b.path("beheaded.raw")
	b.copyDisk(t, damaged, func(d []byte) { d[2<<20+600<<10] ^= 1 }) // in the root, far behind what mounting reads
	b.copyDisk(t, beheaded, func(d []byte) { clear(d[512 : 34*512]) })
	ownHash := "roothash=" + b.hash.String()
	tests := []struct {
		name, disk, words string
		want              []string // on the console, in this order
	}{
		{"starts the root", b.disk, ownHash + " -- one two", []string{
			"first: arguments: /usr/lib/systemd/systemd one two, <nil>",
			"first: factory file: from the factory -rw-r-----, <nil>",
			"first: written to /etc: done, <nil>",
			"first: write to /usr: done, open /usr/new: read-only file system",
			"/=erofs",
			"first: old root: gone, <nil>",
			"first: whole root: 2 files, <nil>",
		}},
		{"takes the table at the end of a disk", beheaded, "gpt " + ownHash, []string{"first: whole root: 2 files, <nil>"}},
		{"refuses a damaged block", damaged, ownHash, []string{"is corrupted", "dm-verity device corrupted"}},
		{"finds no other root", b.disk, "roothash=" + strings.Repeat("ab", 32), []string{
			"initrd: no disk has the partitions abababab-abab-abab-abab-abababababab and abababab-abab-abab-abab-abababababab of root hash abab",
			"initrd: disk vda: ",
			"initrd: this version does not start; restarting in 5s",
		}},
		{"is told no root", b.disk, "", []string{"initrd: kernel command line: no roothash=, so it is not known what to start"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			machine := b.start(t, ctx, tt.disk, tt.words)
			for _, text := range tt.want {
				line, err := machine.Console.Await(ctx, text)
				must(t, err)
				t.Logf("%.2f s: %s", line.At.Seconds(), line.Text)
			}
			must(t, machine.Wait(ctx))
		})
	}
}

// copyDisk copies the disk and changes the copy.
func (b *bench) copyDisk(t *testing.T, to string, change func([]byte)) {
	t.Helper()
	data, err := os.ReadFile(b.disk)
	must(t, err)
	change(data)
	must(t, os.WriteFile(to, data, 0o644))
}
