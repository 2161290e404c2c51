package updater

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotdisk"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A node is where the updater works: this machine, or files that stand for it.
type node struct {
	root    string // below which are /proc, /sys and /usr
	private string // where PRIVATE is mounted
	data    string // a directory on DATA for what is fetched
	disk    string // a file with an image of a disk; empty for that of the machine
	config  string
	lock    string
	socket  string
	power   string // the socket of the power service
	shadow  string // a directory in place of dir(), see shadowed; empty for none
}

func (n node) machine() slots.Machine {
	return slots.Machine{Root: n.root, Private: n.private, Disk: n.disk}
}

// dir returns where the updater keeps what outlives reboots.
func (n node) dir() string {
	if n.shadow != "" {
		return n.shadow
	}
	return filepath.Join(n.private, "updates")
}

func (n node) openDisk() (*slotdisk.Disk, error) {
	if n.disk != "" {
		return slotdisk.OpenImage(n.disk)
	}
	return slotdisk.Open()
}

// look returns what the slots are like.
func (n node) look() (slots.View, error) {
	var v slots.View
	err := n.session(esp.Read, func(s *slots.Session) error { v = s.View; return nil })
	return v, err
}

// session calls f while nobody else changes the slots. What a power cut left is
// mended first where things are to be changed.
func (n node) session(access esp.Access, f func(*slots.Session) error) (err error) {
	s, err := n.machine().Open(access)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if access == esp.Write {
		if err := s.Carry(s.View.Repair(), func(slots.Step) {}); err != nil {
			return err
		}
	}
	return f(s)
}

// A place is a slot that an image is written to, and the one that runs.
type place struct {
	disk               *slotdisk.Disk
	slot               string
	data, tree         *slotdisk.Part
	ranData, ranTree   *slotdisk.Part // of what runs
	running            verity.RootHash
	runningProgramFile string
	closers            []io.Closer
}

// open opens both slots, the one that does not run as access says.
func (n node) open(v slots.View, access esp.Access) (_ *place, err error) {
	to, err := v.Inactive()
	if err != nil {
		return nil, err
	}
	p := &place{slot: to.Name}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.running, err = verity.ParseRootHash(v.Boot.Root); err != nil {
		return nil, err
	}
	p.runningProgramFile = v.Running().File
	if p.disk, err = n.openDisk(); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.disk)
	other := p.disk.Part
	if access == esp.Read {
		other = p.disk.ReadPart
	}
	i := slices.IndexFunc(v.Slots, func(s slots.Slot) bool { return s.Root == v.Boot.Root })
	for _, s := range []struct {
		slot       string
		data, tree **slotdisk.Part
		open       func(string) (*slotdisk.Part, error)
	}{{to.Name, &p.data, &p.tree, other}, {v.Slots[i].Name, &p.ranData, &p.ranTree, p.disk.ReadPart}} {
		data, tree := slotdisk.Names(s.slot)
		if *s.data, err = s.open(data); err != nil {
			return nil, err
		}
		p.closers = append(p.closers, *s.data)
		if *s.tree, err = s.open(tree); err != nil {
			return nil, err
		}
		p.closers = append(p.closers, *s.tree)
	}
	return p, nil
}

// Close closes both slots.
func (p *place) Close() error {
	var errs []error
	for _, c := range slices.Backward(p.closers) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// room returns an error if the file system of dir has fewer than n bytes left.
func room(dir string, n int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("room in %s: %w", dir, err)
	}
	if left := int64(s.Bavail) * s.Bsize; left < n {
		return fmt.Errorf("%s has %d bytes left, and %d are needed: %w", dir, left, n, unix.ENOSPC)
	}
	return nil
}

// rootOf opens a directory, which is made if need be.
func rootOf(dir string, mode os.FileMode) (*os.Root, error) {
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}
