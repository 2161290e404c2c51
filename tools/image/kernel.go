package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/closure"
	"github.com/bulkhead-os/bulkhead/tools/cpio"
)

const modulesDir = "/usr/lib/modules"

// packed ends the names of modules as Debian packs them.
const packed = ".xz"

// initrdModules are what the root may be found by: drivers of disks, the
// device mapper and the file system; and what is to be there before anything
// can go wrong: watchdogs, and the place that keeps the kernel's last words.
// Those that they depend on come with them.
var initrdModules = []string{
	"kernel/arch/x86/crypto/sha256-ssse3.ko",
	"kernel/drivers/ata/ahci.ko",
	"kernel/drivers/block/virtio_blk.ko",
	"kernel/drivers/firmware/efi/efi-pstore.ko",
	"kernel/drivers/md/dm-verity.ko",
	"kernel/drivers/scsi/sd_mod.ko",
	"kernel/drivers/scsi/virtio_scsi.ko",
	"kernel/drivers/scsi/vmw_pvscsi.ko",
	"kernel/drivers/watchdog/i6300esb.ko",
	"kernel/drivers/watchdog/wdat_wdt.ko",
	"kernel/fs/erofs/erofs.ko",
}

// kernelVersion returns the version of the one kernel in the tree at dir.
func kernelVersion(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, modulesDir, "*"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s has %d kernels, want one", dir, len(found))
	}
	return filepath.Base(found[0]), nil
}

// addModuleLists adds what depmod wants to know beside the modules.
func (c contents) addModuleLists(dir, version string) error {
	for _, name := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		file := path.Join(modulesDir, version, name)
		if err := c.copy(file, filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return nil
}

// unpackModules unpacks the kernel modules below root, which carry their
// signatures with them. The file systems that they become part of compress
// better.
func (t tools) unpackModules(ctx context.Context, root string) error {
	var files []string
	err := filepath.WalkDir(filepath.Join(root, modulesDir), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(p, ".ko"+packed) {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		return err
	}
	return t.run(ctx, "/usr/bin/xz", append([]string{"--decompress"}, files...)...)
}

// listModules writes the lists by which modules are found.
func (t tools) listModules(ctx context.Context, root, version string) error {
	return t.run(ctx, "/usr/sbin/depmod", "--basedir", root, "--moduledir", modulesDir, version)
}

// initrdFiles returns the modules of the initrd, from the staged root, whose
// names are those of the tree of Debian packages at debian less the packing.
func initrdFiles(debian, staged, version string) (contents, error) {
	tree, err := closure.Open(debian)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range initrdModules {
		names = append(names, path.Join(modulesDir, version, m+packed))
	}
	names, err = tree.Of(names)
	if err != nil {
		return nil, err
	}
	c := contents{}
	for _, name := range names {
		name = strings.TrimSuffix(name, packed)
		if err := c.copy(name, filepath.Join(staged, name)); err != nil {
			return nil, err
		}
	}
	return c, c.addModuleLists(debian, version)
}

// makeInitrd makes the archive that the kernel starts with: modules, to which
// it adds the lists of them, and the program at init. It uses dir for what lies
// between.
func (t tools) makeInitrd(ctx context.Context, c contents, dir, version, init string) ([]byte, error) {
	if err := c.write(dir); err != nil {
		return nil, err
	}
	if err := t.listModules(ctx, dir, version); err != nil {
		return nil, err
	}
	for _, list := range []string{"modules.dep", "modules.alias", "modules.softdep"} {
		file := path.Join(modulesDir, version, list)
		if err := c.copy(file, filepath.Join(dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	// The program looks for modules of the kernel's own in no list.
	delete(c, path.Join(modulesDir, version, "modules.builtin.modinfo"))
	delete(c, path.Join(modulesDir, version, "modules.order"))
	for _, d := range []string{"/dev", "/proc", "/sys", "/run", "/sysroot", "/etc", "/tmp"} {
		c.dir(d, 0o755)
	}
	if err := c.copy("/init", init); err != nil {
		return nil, err
	}
	c.addParents()
	return c.archive()
}

// addParents adds the directories that files lie in.
func (c contents) addParents() {
	for _, name := range c.paths() {
		for d := path.Dir(name); d != "/"; d = path.Dir(d) {
			if !c.has(d) {
				c.dir(d, 0o755)
			}
		}
	}
}

// archive returns c as the kernel unpacks it.
func (c contents) archive() ([]byte, error) {
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	names := c.paths()
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(a, b) }) // directories before their files
	for _, name := range names {
		e := c[name]
		rel := strings.TrimPrefix(name, "/")
		var err error
		switch {
		case e.mode.IsDir():
			err = w.Dir(rel, e.mode)
		case e.mode.Type() == fs.ModeSymlink:
			err = w.Link(rel, e.link)
		default:
			var data []byte
			if data, err = c.read(name); err == nil {
				err = w.File(rel, data, e.mode)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// compressLevel is the highest at which what did not change looks the same in the
// next version. Those above weigh their choices by all that came before: they
// pack a tenth smaller, and after a changed string nothing is as it was.
const compressLevel = "-15"

// compress packs data as kernels unpack it.
func (t tools) compress(ctx context.Context, data []byte) ([]byte, error) {
	cmd, err := t.command("/usr/bin/zstd", compressLevel, "--single-thread", "--no-check", "-c")
	if err != nil {
		return nil, err
	}
	cmd.Stdin = bytes.NewReader(data)
	return cmd.Output(ctx)
}

// readKernel returns the kernel of the tree at dir.
func readKernel(dir, version string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, "boot", "vmlinuz-"+version))
}
