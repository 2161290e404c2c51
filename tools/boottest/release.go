package boottest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/verity"
)

// Derive returns a release that is the image of the lab with a change.
func (l *Lab) Derive(t testing.TB, c testimage.Change) testimage.Release {
	t.Helper()
	r, err := testimage.Derive(t.Context(), l.Root, l.Image, t.TempDir(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Hash returns the root hash of the image.
func (l *Lab) Hash(t testing.TB) string {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(l.Image, image.CmdlineFile))
	if err != nil {
		t.Fatal(err)
	}
	_, hash, found := strings.Cut(string(line), "roothash=")
	if !found {
		t.Fatalf("the command line %q has no root hash", line)
	}
	return strings.Fields(hash)[0]
}

// Stage puts a release into a slot, "A" or "B", as an update would that checks
// nothing. Boot programs other than keep are removed.
func (d *Disk) Stage(r testimage.Release, slot, keep string) {
	d.t.Helper()
	d.write("ROOT-"+slot, filepath.Join(r.Dir, image.RootFile))
	d.write("ROOT-"+slot+"-VERITY", filepath.Join(r.Dir, image.TreeFile))
	d.identifySlot(slot, r.Hash)
	for _, name := range d.Programs() {
		if name != keep {
			d.mtools("mdel", "::EFI/Linux/"+name)
		}
	}
	d.mtools("mcopy", filepath.Join(r.Dir, image.UKIFile), "::EFI/Linux/bulkhead-"+r.Version+".efi.staged")
}

func (d *Disk) identifySlot(slot string, h verity.Hash) {
	d.t.Helper()
	d.must(disk.Identify(d.file, "ROOT-"+slot, disk.GUIDOf([16]byte(h[:16]))))
	d.must(disk.Identify(d.file, "ROOT-"+slot+"-VERITY", disk.GUIDOf([16]byte(h[16:]))))
}

// write puts a file at the beginning of a partition.
func (d *Disk) write(partition, file string) {
	d.t.Helper()
	p := d.find(partition)
	in, err := os.Open(file)
	d.must(err)
	defer in.Close()
	if size := d.size(file); size > p.Size {
		d.t.Fatalf("%s has %d bytes, partition %s has %d", file, size, partition, p.Size)
	}
	d.change(func(f *os.File) error {
		_, err := io.Copy(io.NewOffsetWriter(f, p.Start), in)
		return err
	})
}

// memoryFile is what boot-slot keeps on PRIVATE.
const memoryFile = "boot-slots.json"

// A Seen is what boot-slot sees of a node beside its disk.
type Seen struct {
	Running string // root hash
	Checks  string // file of health checks; empty for none
}

// BootSlot runs boot-slot, as it is in the image, on the disk of a node that has
// shut down. It returns what the program says.
func (d *Disk) BootSlot(seen Seen, args ...string) string {
	d.t.Helper()
	dir := d.t.TempDir()
	memory := filepath.Join(dir, "private", memoryFile)
	for name, text := range map[string]string{
		"root/proc/cmdline": "roothash=" + seen.Running, "root/proc/sys/kernel/random/boot_id": "boottest",
		"root/etc/health-checks.json": cmp.Or(seen.Checks, "{}"), "private/empty": "",
	} {
		file := filepath.Join(dir, name)
		d.must(errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)))
	}
	d.debugfs(Private, false, "dump /"+memoryFile+" "+memory)
	was, err := os.ReadFile(memory)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	d.must(err)
	var out, said bytes.Buffer
	words := []string{d.lab.bootSlot(d.t), "--root", filepath.Join(dir, "root"), "--private", filepath.Join(dir, "private"), "--disk", d.file, "--health", filepath.Join(dir, "health")}
	cmd := run.Command{Args: slices.Concat(words, args), Stdout: &out, Stderr: &said}
	if err := cmd.Run(d.t.Context()); err != nil {
		d.t.Fatalf("%v\n%s", err, &said)
	}
	if is, err := os.ReadFile(memory); err == nil && !bytes.Equal(is, was) {
		d.debugfs(Private, true, "rm /"+memoryFile, "write "+memory+" "+memoryFile)
	}
	return out.String() + said.String()
}

// bootSlot returns the program of the image, which runs here as well.
func (l *Lab) bootSlot(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "boot-slot") // it goes by its name
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := debtree.Program(l.tools(), "/usr/bin/dump.erofs", "--cat", "--path=/usr/bin/bulkhead", filepath.Join(l.Image, image.RootFile))
	cmd.Stdout = out
	if err == nil {
		err = cmd.Run(t.Context())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}
