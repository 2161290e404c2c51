package initrd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/devicemapper"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// A mount is one call of mount.
type mount struct {
	source, target, kind string
	flags                uintptr
	options              string
}

// kernelMounts are what programs expect of the kernel. They move into the root,
// where systemd takes them as they are, so they have the options it would give.
var kernelMounts = []mount{
	{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
	{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755,size=20%,nr_inodes=800k"},
}

func mountKernel() error {
	for _, m := range kernelMounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	return nil
}

func (m mount) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options)
	// With CONFIG_DEVTMPFS_MOUNT the kernel has mounted /dev.
	if err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	return nil
}

// mountTmp gives the root a /tmp as tmp.mount of systemd does, which starts a
// program for it while the node has much else to do.
func mountTmp() error {
	return mount{"tmpfs", system + "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_STRICTATIME, "mode=1777,size=50%,nr_inodes=1m"}.mount()
}

// openVerity makes the device that reads the root with every block checked, and
// returns its node.
func openVerity(parts rootParts, hash verity.RootHash) (string, error) {
	f, err := os.Open(node(parts.tree))
	if err != nil {
		return "", err
	}
	defer f.Close()
	sb, err := verity.ReadSuperblock(f)
	if err != nil {
		return "", err
	}
	if size := uint64(parts.data.Size); sb.Size() > size {
		return "", fmt.Errorf("the hash tree covers %d bytes, partition %s has %d", sb.Size(), sysblock.NodeName(parts.data.Name), size)
	}
	return verityDevice(sb, parts, hash).Create()
}

// node returns the file of a partition.
func node(p sysblock.Part) string { return path.Join("/dev", sysblock.NodeName(p.Name)) }

// verityDevice has the name and UUID that systemd's own tools give the root, so
// that these know what it is.
func verityDevice(sb verity.Superblock, parts rootParts, hash verity.RootHash) devicemapper.Device {
	return devicemapper.Device{
		Name:    "root",
		UUID:    "CRYPT-VERITY-" + hex.EncodeToString(sb.UUID[:]) + "-root",
		Sectors: sb.Size() / 512,
		Target:  "verity",
		Params:  sb.Table(parts.data.Device, parts.tree.Device, hash),
	}
}

func mountImage(node string) error {
	return mount{node, system, "erofs", unix.MS_RDONLY | unix.MS_NODEV, ""}.mount()
}
