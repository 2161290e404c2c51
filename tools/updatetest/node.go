// Package updatetest makes nodes and releases out of files, on which the updater can
// be tried and measured without a virtual machine.
package updatetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Programs are those of a node, built.
type Programs struct{ Updater, Bulkhead string }

// Build builds the programs into dir, as they are in images.
func Build(ctx context.Context, dir string) (Programs, error) {
	root, err := workspace.Find(".")
	if err != nil {
		return Programs{}, err
	}
	p := Programs{filepath.Join(dir, "updater"), filepath.Join(dir, "bulkhead")}
	for pkg, file := range map[string]string{"./sources/cmd/bulkhead-updates": p.Updater, "./sources/cmd/bulkhead": p.Bulkhead} {
		cmd := root.Go("build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", file, pkg)
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
		if err := cmd.Run(ctx); err != nil {
			return Programs{}, err
		}
	}
	return p, nil
}

// A Node is a disk, and the files that the updater reads of a machine.
type Node struct {
	Dir      string
	Programs Programs
	Slot     int64 // bytes in the partition of a root image
	Foreign  int64 // bytes of the ESP that somebody else's file has
}

const (
	mebibyte = 1 << 20
	espSize  = 4 * mebibyte
)

// Install makes the disk of n, with first in one slot and nothing in the other, and
// has it boot.
func (n Node) Install(first Release) error {
	for _, dir := range []string{"root/proc/sys/kernel/random", "root/usr/lib", "root/usr/share/bulkhead/updates", "private", "data", "run"} {
		if err := os.MkdirAll(n.path(dir), 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(first.file(ukiFile))
	if err != nil {
		return err
	}
	esp := (espSize + 3*len(program)) / mebibyte * mebibyte // for the next one, too
	if err := os.WriteFile(n.path("esp"), fat(esp, int(n.Foreign), "bulkhead-"+first.Version+".efi", program), 0o600); err != nil {
		return err
	}
	root, err := hex.DecodeString(first.RootHash)
	if err != nil {
		return err
	}
	tree := (n.Slot/64 + 2*mebibyte) / mebibyte * mebibyte
	parts := []disk.Partition{
		{Name: "ESP", UUID: disk.GUID{1}, Size: int64(esp), Content: n.path("esp")},
		{Name: "ROOT-A", UUID: disk.GUIDOf([16]byte(root)), Size: n.Slot, Content: first.file(rootFile)},
		{Name: "ROOT-A-VERITY", UUID: disk.GUIDOf([16]byte(root[16:])), Size: tree, Content: first.file(treeFile)},
		{Name: "ROOT-B", UUID: disk.GUID{4}, Size: n.Slot},
		{Name: "ROOT-B-VERITY", UUID: disk.GUID{5}, Size: tree},
	}
	l := disk.Layout{UUID: disk.GUID{9}, Partitions: parts}
	for i := range l.Partitions {
		l.Partitions[i].Type = disk.GUID{7}
	}
	l.Size = l.Need()
	if err := l.Write(n.path("disk")); err != nil {
		return err
	}
	return errors.Join(os.Remove(n.path("esp")), n.Boot(first))
}

// Boot makes r what runs, in another boot.
func (n Node) Boot(r Release) error {
	return errors.Join(
		n.write("root/proc/cmdline", "quiet roothash="+r.RootHash+"\n"),
		n.write("root/proc/sys/kernel/random/boot_id", rand.Text()+"\n"),
		n.write("root/usr/lib/os-release", "ID=bulkhead\nVARIANT_ID="+Variant+"\nVERSION_ID="+r.Version+"\n"),
	)
}

// Trust makes root what the image trusts to begin with.
func (n Node) Trust(root []byte) error {
	return os.WriteFile(n.path("root/usr/share/bulkhead/updates/root.json"), root, 0o644)
}

// Configure writes the file that is rendered from the settings.
func (n Node) Configure(url, more string) error {
	return n.write("updater.toml", fmt.Sprintf("metadata-base-url = %q\ntargets-base-url = %q\nseed = 5\n%s", url+"/metadata/", url+"/targets", more))
}

func (n Node) path(name string) string { return filepath.Join(n.Dir, name) }

func (n Node) write(name, text string) error { return os.WriteFile(n.path(name), []byte(text), 0o644) }

// Command returns the updater with these words.
func (n Node) Command(ctx context.Context, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, n.Programs.Updater, append([]string{
		"--root", n.path("root"), "--private", n.path("private"), "--data", n.path("data"), "--disk", n.path("disk"),
		"--config", n.path("updater.toml"), "--lock", n.path("run/lock"), "--socket", n.path("run/updater.sock"), "--power", n.path("run/power.sock"), "--pause", "1ms",
	}, words...)...)
	return cmd
}

// Updater runs the updater with these words. The error is what it says.
func (n Node) Updater(ctx context.Context, words ...string) error {
	out, err := n.Command(ctx, words...).CombinedOutput()
	if err != nil {
		_, text, _ := strings.Cut("\n"+string(out), "\nupdater: ") // the log is in front of it
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(text))
	}
	return nil
}

// Places are where a client finds what belongs to the updater of n.
func (n Node) Places() updater.Places {
	return updater.Places{Socket: n.path("run/updater.sock"), Dir: n.path("private/updates"), Lock: n.path("run/lock")}
}

// Status returns how updates stand.
func (n Node) Status() (updater.Status, error) { return updater.New(n.Places()).Status() }

// A Slot is what the loader would see of one.
type Slot struct {
	Slot    string `json:"slot"`
	Version string `json:"version"`
	State   string `json:"state"`
	Next    bool   `json:"next"`
	Running bool   `json:"running"`
}

// Slots returns what boot-slot says.
func (n Node) Slots(ctx context.Context) ([]Slot, error) {
	out, err := n.bootSlot(ctx, "status", "-o", "json")
	if err != nil {
		return nil, err
	}
	var s struct {
		Slots []Slot `json:"slots"`
	}
	return s.Slots, json.Unmarshal(out, &s)
}

func (n Node) bootSlot(ctx context.Context, words ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, n.Programs.Bulkhead, append([]string{
		"boot-slot", "--root", n.path("root"), "--private", n.path("private"), "--disk", n.path("disk"), "--health", n.path("run/health"),
	}, words...)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return out, err
}

// Bless makes what runs count as healthy.
func (n Node) Bless(ctx context.Context) error {
	if _, err := n.bootSlot(ctx, "begin"); err != nil {
		return err
	}
	_, err := n.bootSlot(ctx, "mark-good")
	return err
}

// Complete returns an error unless one of the slots holds all of r, and can be found by
// its boot program.
func (n Node) Complete(r Release) error {
	f, err := os.Open(n.path("disk"))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, slot := range []string{"A", "B"} {
		if id, err := identity(f, "ROOT-"+slot); err != nil || id != r.RootHash[:32] {
			continue
		}
		id, err := identity(f, "ROOT-"+slot+"-VERITY")
		if err != nil || id != r.RootHash[32:] {
			return fmt.Errorf("slot %s has the identity of version %s, and its tree has %s: %w", slot, r.Version, id, err)
		}
		return errors.Join(n.same(f, "ROOT-"+slot, r.file(rootFile)), n.same(f, "ROOT-"+slot+"-VERITY", r.file(treeFile)))
	}
	return fmt.Errorf("no slot has the identity of version %s", r.Version)
}

// identity returns the UUID of a partition, as digits in the order of a root hash.
func identity(f *os.File, name string) (string, error) {
	table := make([]byte, 32*disk.SectorSize)
	if _, err := f.ReadAt(table, 2*disk.SectorSize); err != nil {
		return "", err
	}
	for e := table; len(e) >= 128; e = e[128:] {
		var text []byte
		for at := 56; at < 128 && e[at] != 0; at += 2 {
			text = append(text, e[at])
		}
		if string(text) == name {
			return strings.ReplaceAll(disk.GUID(e[16:32]).String(), "-", ""), nil
		}
	}
	return "", fmt.Errorf("no partition %s", name)
}

// same returns an error unless a partition begins with what is in a file.
func (n Node) same(f *os.File, name, file string) error {
	place, err := disk.Find(n.path("disk"), name)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	want, got := make([]byte, mebibyte), make([]byte, mebibyte)
	for at := place.Start; ; at += mebibyte {
		m, err := io.ReadFull(in, want)
		if m == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if _, err := f.ReadAt(got[:m], at); err != nil {
			return err
		}
		if !bytes.Equal(got[:m], want[:m]) {
			return fmt.Errorf("partition %s is not what %s is", name, filepath.Base(file))
		}
	}
}

// fat returns a file system with a program where the loader looks for them, and a file
// of somebody else.
func fat(size, foreign int, name string, program []byte) []byte {
	const sector, per, reserved, tables = 512, 8, 32, 2
	b := make([]byte, size)
	le := binary.LittleEndian
	clusters := size / sector / per
	table := (4*(clusters+2) + sector - 1) / sector
	copy(b, "\xeb\x58\x90mkfs.fat")
	le.PutUint16(b[11:], sector)
	b[13] = per
	le.PutUint16(b[14:], reserved)
	b[16] = tables
	le.PutUint32(b[32:], uint32(size/sector))
	le.PutUint32(b[36:], uint32(table))
	le.PutUint32(b[44:], 2)
	b[510], b[511] = 0x55, 0xaa
	at := func(c int) []byte { return b[(reserved+tables*table+(c-2)*per)*sector:] }
	chain := func(first, n int) {
		for i := range n {
			v := uint32(first + i + 1)
			if i == n-1 {
				v = 0x0fffffff
			}
			for t := range tables {
				le.PutUint32(b[(reserved+t*table)*sector+4*(first+i):], v)
			}
		}
	}
	for c := range 3 {
		chain(2+c, 1)
	}
	chain(5, (len(program)+sector*per-1)/(sector*per))
	copy(at(2), short("EFI        ", 0x10, 3, 0))
	if own := 5 + (len(program)+sector*per-1)/(sector*per); foreign > 0 {
		chain(own, foreign/(sector*per))
		copy(at(2)[32:], short("FOREIGN BIN", 0x20, own, foreign))
	}
	copy(at(3), short("LINUX      ", 0x10, 4, 0))
	copy(at(4), long(name, short("BULKHEADEFI", 0x20, 5, len(program))))
	copy(at(5), program)
	return b
}

func short(name string, attributes byte, c, size int) []byte {
	b := make([]byte, 32)
	copy(b, name)
	b[11] = attributes
	binary.LittleEndian.PutUint16(b[26:], uint16(c))
	binary.LittleEndian.PutUint32(b[28:], uint32(size))
	return b
}

// long returns the slots of a directory that give a file a name beside the short
// one.
func long(name string, last []byte) []byte {
	var sum byte
	for _, x := range last[:11] {
		sum = sum>>1 + sum<<7 + x
	}
	n := (len(name) + 12) / 13
	var out []byte
	for i := n; i > 0; i-- {
		b := make([]byte, 32)
		b[0], b[11], b[13] = byte(i), 0x0f, sum
		if i == n {
			b[0] |= 0x40
		}
		for j, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
			c := uint16(0xffff)
			if k := (i-1)*13 + j; k < len(name) {
				c = uint16(name[k])
			} else if k == len(name) {
				c = 0
			}
			binary.LittleEndian.PutUint16(b[at:], c)
		}
		out = append(out, b...)
	}
	return append(out, last...)
}
