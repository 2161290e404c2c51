package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

// A node has a disk, and directories to mount what is on it.
type node struct {
	t    testing.TB
	file string // the disk
	root string
}

// The disk of an image: a root that nobody reads, and PRIVATE.
const (
	machineID = "0123456789abcdef0123456789abcdef"
	secret    = "the settings of a node"
)

// newNode returns a node whose disk has as many MiB as given, as an image
// makes it.
func newNode(t testing.TB, size int64) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root's rights")
	}
	n := &node{t: t, file: filepath.Join(t.TempDir(), "disk"), root: t.TempDir()}
	for _, dir := range []string{"var", "opt", "etc", "run"} {
		n.must(os.Mkdir(filepath.Join(n.root, dir), 0o755))
	}
	n.must(os.WriteFile(filepath.Join(n.root, "etc/machine-id"), []byte(machineID+"\n"), 0o444))
	content, system := t.TempDir(), filepath.Join(t.TempDir(), "private")
	n.must(os.WriteFile(filepath.Join(content, "machine-id"), []byte(machineID+"\n"), 0o444))
	n.must(os.WriteFile(filepath.Join(content, "secret"), []byte(secret), 0o600))
	n.run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", "PRIVATE", "-d", content, system, "16M")
	f, err := os.Create(n.file)
	n.must(err)
	defer f.Close()
	const had = 18 // MiB
	n.must(f.Truncate(had * mebibyte))
	private, err := os.ReadFile(system)
	n.must(err)
	_, err = f.WriteAt(private, 2*mebibyte)
	n.must(err)
	table := gpt.New(gpt.GUID{1}, 19*mebibyte, 512)
	table.Partitions = []gpt.Partition{
		{Number: 1, Type: gpt.GUID{2}, ID: gpt.GUID{3}, First: mib(1), Last: mib(2) - 1, Name: "ROOT-A"},
		{Number: 2, Type: disklayout.LinuxData(), ID: gpt.GUID{4}, First: mib(2), Last: mib(18) - 1, Name: "PRIVATE"},
	}
	n.must(f.Truncate(19 * mebibyte))
	n.must(table.Write(f))
	n.resize(size)
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) run(words ...string) string {
	n.t.Helper()
	out, err := exec.CommandContext(n.t.Context(), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%q: %v: %s", words, err, out)
	}
	return string(out)
}

// resize gives the disk another size.
func (n *node) resize(size int64) { n.must(os.Truncate(n.file, size*mebibyte)) }

// change lets f do something to the disk, which no boot uses.
func (n *node) change(change func(f *os.File) error) {
	n.t.Helper()
	f, err := os.OpenFile(n.file, os.O_RDWR, 0)
	n.must(err)
	n.must(change(f))
	n.must(f.Close())
}

// table returns the partitions of the disk.
func (n *node) table() []gpt.Partition {
	n.t.Helper()
	f, err := os.Open(n.file)
	n.must(err)
	defer f.Close()
	info, err := f.Stat()
	n.must(err)
	parts, err := gpt.Read(f, info.Size(), 512)
	n.must(err)
	return parts
}

// copy makes the disk what it holds now, as a power cut would leave it: what
// the kernel has not written to it yet is not there.
func (n *node) copy() {
	n.t.Helper()
	n.run("cp", "--sparse=always", n.file, n.file+".cut")
}

// adopt makes the copy the disk.
func (n *node) adopt() { n.must(os.Rename(n.file+".cut", n.file)) }

// report returns what the last boot reported.
func (n *node) report() Report {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.root, "run/bulkhead/storage.json"))
	n.must(err)
	var r Report
	n.must(json.Unmarshal(text, &r))
	return r
}

// codes returns those of the faults in a report.
func (r Report) codes() string {
	var out []string
	for _, f := range r.Faults {
		out = append(out, string(f.Code))
	}
	return strings.Join(out, " ")
}

// attach makes a block device of the disk.
func (n *node) attach() (name string, free func()) {
	n.t.Helper()
	file, err := os.OpenFile(n.file, os.O_RDWR, 0)
	n.must(err)
	defer file.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	n.must(err)
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(file.Fd()), Size: 512, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_PARTSCAN}}
	for range 100 {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		n.must(err)
		name = fmt.Sprintf("loop%d", number)
		loop, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
		n.must(err)
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return name, func() { n.detach(loop, name) }
		}
		n.must(loop.Close())
		if !errors.Is(err, unix.EBUSY) {
			n.t.Fatalf("attach %s: %v", name, err)
		}
	}
	n.t.Fatal("others took each loop device that was free")
	return "", nil
}

// detach waits until nothing of the boot uses the device any more: the kernel
// may unmount what a killed process had mounted a little later.
func (n *node) detach(loop *os.File, name string) {
	_, err := unix.IoctlRetInt(int(loop.Fd()), unix.LOOP_CLR_FD)
	if err != nil {
		n.t.Errorf("detach %s: %v", name, err)
	}
	n.must(loop.Close())
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat("/sys/block/" + name + "/loop"); err != nil {
			return
		}
	}
	n.t.Errorf("%s is still attached", name)
}
