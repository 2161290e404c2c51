package boottest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/image"
)

// Partitions of a disk.
const (
	ESP     = "ESP"
	RootA   = "ROOT-A"
	TreeA   = "ROOT-A-VERITY"
	Private = "PRIVATE"
	Data    = "DATA"
)

// block is the size of a block of the file systems.
const block = 4096

// room is what a disk has behind the image's partitions, for DATA.
const room = 1 << 30

// A Disk is what a node keeps when it is off. It may be changed only then.
type Disk struct {
	t         testing.TB
	lab       *Lab
	file      string
	authority *pki.Authority // whose certificates its nodes trust
	starts    int
}

// NewDisk returns the disk of a node that was never on.
func (l *Lab) NewDisk(t testing.TB) *Disk {
	t.Helper()
	d := &Disk{t: t, lab: l, file: filepath.Join(t.TempDir(), "disk.raw")}
	from := filepath.Join(l.Image, image.DiskFile)
	d.must(disk.Copy(d.file, from, d.size(from)+room))
	a, err := pki.Create(t.TempDir(), "boottest", false, nil)
	d.must(err)
	d.authority = a
	return d
}

// Copy returns another disk with what d holds now, for the test t: whatever is done
// to either, the other stays as it is. Its nodes
// trust whom those of d do.
func (d *Disk) Copy(t testing.TB) *Disk {
	t.Helper()
	c := *d
	c.t, c.file, c.starts = t, filepath.Join(t.TempDir(), "disk.raw"), 0
	c.must(disk.Copy(c.file, d.file, d.size(d.file)))
	if _, err := os.Stat(d.firmware()); err == nil {
		c.must(os.CopyFS(c.firmware(), os.DirFS(d.firmware())))
	}
	return &c
}

// firmware is the directory of what the firmware of the machine remembers, which
// belongs to it as the disk does.
func (d *Disk) firmware() string { return d.file + ".machine" }

// Grow makes the disk larger.
func (d *Disk) Grow(bytes int64) {
	d.t.Helper()
	d.must(os.Truncate(d.file, d.size(d.file)+bytes))
}

func (d *Disk) size(file string) int64 {
	d.t.Helper()
	info, err := os.Stat(file)
	d.must(err)
	return info.Size()
}

// Size returns the size of a partition.
func (d *Disk) Size(partition string) int64 {
	d.t.Helper()
	return d.find(partition).Size
}

// FlipBit changes one bit in a block of a partition.
func (d *Disk) FlipBit(partition string, number int64) {
	d.t.Helper()
	at := d.find(partition).Start + number*block + 1027 // in file systems, often a part of the superblock
	d.change(func(f *os.File) error {
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil {
			return err
		}
		b[0] ^= 1
		_, err := f.WriteAt(b, at)
		return err
	})
}

// Replace writes text over the first place in the partition that holds old,
// which has the same length and lies within a block of 1 MiB.
func (d *Disk) Replace(partition, old, text string) {
	d.t.Helper()
	if len(old) != len(text) {
		d.t.Fatalf("replace %q by %q: they differ in length", old, text)
	}
	p := d.find(partition)
	d.change(func(f *os.File) error {
		const piece = 1 << 20
		b := make([]byte, piece+len(old))
		for at := p.Start; at < p.Start+p.Size; at += piece {
			n, err := f.ReadAt(b, at)
			if i := strings.Index(string(b[:n]), old); i >= 0 {
				_, err := f.WriteAt([]byte(text), at+int64(i))
				return err
			}
			if n < piece {
				return err
			}
		}
		return fmt.Errorf("partition %s does not hold %q", partition, old)
	})
}

// Wipe makes a partition one that nobody has ever written to.
func (d *Disk) Wipe(partition string) {
	d.t.Helper()
	p := d.find(partition)
	d.change(func(f *os.File) error {
		zero := make([]byte, 1<<20)
		for at := p.Start; at < p.Start+p.Size; at += int64(len(zero)) {
			// The first and the last blocks tell what was there, and those between
			// could only be missed by who was told.
			if at > p.Start+4*int64(len(zero)) && at < p.Start+p.Size-int64(len(zero)) {
				continue
			}
			if _, err := f.WriteAt(zero, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// Fill leaves no free block in the file system of a partition. The node that
// used it last must have shut down.
func (d *Disk) Fill(partition string) {
	d.t.Helper()
	free := d.stat(partition, "Free blocks:")
	// More than there are: the program takes what it can get.
	d.debugfs(partition, true, "write /dev/null full", fmt.Sprintf("fallocate full 0 %d", free-1))
	if left := d.stat(partition, "Free blocks:"); left > free/100 {
		d.t.Fatalf("fill %s: %d of %d blocks are still free", partition, left, free)
	}
}

// SystemSize returns the size of the file system in a partition.
func (d *Disk) SystemSize(partition string) int64 {
	d.t.Helper()
	return d.stat(partition, "Block count:") * block
}

// Formatted reports whether there is a file system in a partition, of the kind
// that nodes write to.
func (d *Disk) Formatted(partition string) bool {
	d.t.Helper()
	magic := make([]byte, 2)
	at := d.find(partition).Start + 1080
	d.change(func(f *os.File) error {
		_, err := f.ReadAt(magic, at)
		return err
	})
	return magic[0] == 0x53 && magic[1] == 0xef
}

// stat returns a number from the summary of a file system.
func (d *Disk) stat(partition, name string) int64 {
	d.t.Helper()
	for line := range strings.Lines(d.debugfs(partition, false, "stats -h")) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			var n int64
			_, err := fmt.Sscan(rest, &n)
			d.must(err)
			return n
		}
	}
	d.t.Fatalf("file system %s: its summary has no line %q", partition, name)
	return 0
}

// debugfs has the program of that name do something with a file system.
func (d *Disk) debugfs(partition string, write bool, commands ...string) string {
	d.t.Helper()
	script := filepath.Join(d.t.TempDir(), "script")
	d.must(os.WriteFile(script, []byte(strings.Join(commands, "\n")+"\n"), 0o644))
	args := []string{"-f", script}
	if write {
		args = append(args, "-w")
	}
	args = append(args, fmt.Sprintf("%s?offset=%d", d.file, d.find(partition).Start))
	cmd, err := debtree.Program(d.lab.tools(), "/usr/sbin/debugfs", args...)
	d.must(err)
	out, err := cmd.Output(d.t.Context())
	d.must(err)
	return string(out)
}

func (d *Disk) find(partition string) disk.Place {
	d.t.Helper()
	p, err := disk.Find(d.file, partition)
	d.must(err)
	return p
}

func (d *Disk) change(change func(*os.File) error) {
	d.t.Helper()
	f, err := os.OpenFile(d.file, os.O_RDWR, 0)
	d.must(err)
	defer f.Close()
	d.must(change(f))
}

func (d *Disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// extent is a line of what dump.erofs tells about a file: where a piece of it lies
// in the file, and where in the file system.
var extent = regexp.MustCompile(`(?m)^ *[0-9]+: +[0-9]+\.\. *[0-9]+ \| +[0-9]+ : +([0-9]+)\.\.`)

// BlockOf returns the number of a block in the root that holds a part of a file.
func (l *Lab) BlockOf(t testing.TB, name string) int64 {
	t.Helper()
	cmd, err := debtree.Program(l.tools(), "/usr/bin/dump.erofs", "--path="+name, "-e", filepath.Join(l.Image, image.RootFile))
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := extent.FindSubmatch(out)
	if found == nil {
		t.Fatalf("dump.erofs tells no place of %s:\n%s", name, out)
	}
	at, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at / block
}
