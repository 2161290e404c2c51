package initrd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
	"github.com/bulkhead-os/bulkhead/sources/internal/machineid"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
)

// private is where the partition that the node keeps is mounted for a moment.
const private = "/private"

// nameNode gives the root the machine id that the node has, before systemd would
// make up one for this boot. At the first boot it is made here. A node whose
// number cannot be read or kept starts with another: the fault is told, and is
// no reason not to start.
func nameNode(parts rootParts) error {
	id, fault := storedID(parts)
	if id.IsZero() {
		id = machineid.New()
		fault = fmt.Errorf("machine id %s holds for this boot only: %w", id, fault)
	}
	if err := writeID(path.Join(system, "etc", machineid.Name), id); err != nil {
		return errors.Join(fault, err)
	}
	return fault
}

// writeID fills the file that the image has for it.
func writeID(name string, id machineid.ID) error {
	if err := os.WriteFile(name, id.File(), 0o444); err != nil {
		return fmt.Errorf("machine id: %w", err)
	}
	return nil
}

// storedID returns the number that the node keeps, or that it keeps from now
// on. With an id an error is a warning.
func storedID(parts rootParts) (machineid.ID, error) {
	if parts.private == 0 {
		return machineid.ID{}, fmt.Errorf("disk %s has no partition for it", parts.disk)
	}
	p, err := sysblock.Partition(os.DirFS("/sys"), parts.disk, parts.private)
	if err != nil {
		return machineid.ID{}, err
	}
	if err := checkPrivate(node(p)); err != nil {
		return machineid.ID{}, fmt.Errorf("partition %s: %w", node(p), err)
	}
	// Nothing is written to a file system that only has to be read.
	m := mount{node(p), private, "ext4", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "errors=remount-ro"}
	if err := m.mount(); err != nil {
		return machineid.ID{}, err
	}
	id, err := readOrMake(m)
	return id, errors.Join(err, unmount(private))
}

// checkPrivate leaves it to programs that can mend a file system to touch one
// with errors.
func checkPrivate(node string) error {
	f, err := os.Open(node)
	if err != nil {
		return err
	}
	defer f.Close()
	sb, err := ext4.Read(f)
	if err == nil && sb.Faulty {
		err = errors.New("the file system has errors")
	}
	return err
}

// readOrMake returns the number on what m mounted. Where there is none, one is
// made; so where it has become unreadable, since what it was is lost.
func readOrMake(m mount) (machineid.ID, error) {
	dir, err := os.OpenRoot(m.target)
	if err != nil {
		return machineid.ID{}, err
	}
	defer dir.Close()
	id, fault := machineid.Read(dir)
	if fault == nil {
		return id, nil
	}
	if errors.Is(fault, fs.ErrNotExist) {
		fault = nil // the first boot
	}
	if err := unix.Mount(m.source, m.target, "", m.flags&^unix.MS_RDONLY|unix.MS_REMOUNT, m.options); err != nil {
		return machineid.ID{}, errors.Join(fault, fmt.Errorf("make %s writable: %w", m.target, err))
	}
	id = machineid.New()
	if err := machineid.Keep(dir, id); err != nil {
		return machineid.ID{}, errors.Join(fault, err)
	}
	if fault != nil {
		fault = fmt.Errorf("the node has a new machine id, %s: %w", id, fault)
	}
	return id, fault
}

func unmount(dir string) error {
	if err := unix.Unmount(dir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}
