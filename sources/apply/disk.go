package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// maxRead is how much of a file is compared. What is rendered has at most 1 MiB.
const maxRead = 2 << 20

// A disk is the files below a root. Nothing outside of it is reached: a symbolic
// link that leads out is an error.
type disk struct {
	root     *os.Root
	accounts accounts
	owners   bool // whether owners are looked at and set, which takes root's rights
}

func newDisk(root *os.Root) *disk {
	return &disk{root: root, accounts: readAccounts(root), owners: os.Geteuid() == 0}
}

// relative returns path as the root takes it.
func relative(path string) string { return strings.TrimPrefix(path, "/") }

// read returns the file at path, and whether there is one that can be compared.
// Want has the owners to report where they are not looked at.
func (d *disk) read(path string, want *plan.File) (plan.DiskFile, bool) {
	name := relative(path)
	info, err := d.root.Lstat(name)
	if err != nil || info.IsDir() {
		return plan.DiskFile{}, false // what is wrong shows when writing
	}
	f := plan.DiskFile{Mode: info.Mode()}
	if f.Content, err = d.content(name, info); err != nil {
		return plan.DiskFile{}, false
	}
	switch st, ok := info.Sys().(*syscall.Stat_t); {
	case d.owners && ok:
		f.Owner, f.Group = d.accounts.users.name(int(st.Uid)), d.accounts.groups.name(int(st.Gid))
	case want != nil:
		f.Owner, f.Group = want.Owner, want.Group
	}
	return f, true
}

// content returns what stands for the contents of a file. That which is no file
// differs from every file, and says in the plan what it is.
func (d *disk) content(name string, info fs.FileInfo) ([]byte, error) {
	switch info.Mode().Type() {
	case 0:
	case fs.ModeSymlink:
		target, err := d.root.Readlink(name)
		return []byte("symbolic link to " + target + "\n"), err
	default:
		return []byte("special file " + info.Mode().String() + "\n"), nil
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRead))
}

// carryOut does to the disk what ch says.
func (d *disk) carryOut(ch plan.FileChange) error {
	switch ch.Action {
	case plan.Create, plan.Update:
		return d.write(ch)
	case plan.Remove:
		return d.remove(ch.Path)
	case plan.Chmod:
		return d.dress(ch)
	case plan.Settle:
		// Its contents are right. Of one that is not wanted any more there is
		// nothing left.
		if ch.Owner != "" {
			return d.dress(ch)
		}
	}
	return nil
}

func (d *disk) write(ch plan.FileChange) error {
	a, err := d.attributes(ch)
	if err != nil {
		return err
	}
	parent, base := path.Split(relative(ch.Path))
	dir, err := d.open(path.Clean(parent))
	if err != nil {
		return err
	}
	defer dir.Close()
	return atomicfile.Replace(dir, base, ch.Content, a)
}

func (d *disk) attributes(ch plan.FileChange) (atomicfile.Attributes, error) {
	a := atomicfile.Attributes{Mode: fs.FileMode(ch.Mode), UID: -1, GID: -1}
	if !d.owners {
		return a, nil
	}
	var err, fault error
	a.UID, err = d.accounts.users.id("user", ch.Owner)
	a.GID, fault = d.accounts.groups.id("group", ch.Group)
	return a, errors.Join(err, fault)
}

// missing returns the directories that a write of file would make.
func (d *disk) missing(file string) []string {
	var out []string
	for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
		if _, err := d.root.Lstat(relative(dir)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		out = append(out, dir)
	}
	return out
}

// open opens the directory called name, which it makes if need be, with its
// parents.
func (d *disk) open(name string) (*os.Root, error) {
	dir, err := d.root.OpenRoot(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	parent := path.Dir(name)
	if parent != "." {
		up, err := d.open(parent)
		if err != nil {
			return nil, err
		}
		up.Close()
	}
	err = d.root.Mkdir(name, 0o755)
	if err == nil {
		err = d.root.Chmod(name, 0o755) // the umask had a say
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return d.root.OpenRoot(name)
}

func (d *disk) remove(file string) error {
	parent, base := path.Split(relative(file))
	dir, err := d.root.OpenRoot(path.Clean(parent))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return atomicfile.Remove(dir, base)
}

// dress gives the file at ch.Path the owner and the mode of ch.
func (d *disk) dress(ch plan.FileChange) error {
	a, err := d.attributes(ch)
	if err != nil {
		return err
	}
	name := relative(ch.Path)
	if a.UID >= 0 {
		if err := d.root.Lchown(name, a.UID, a.GID); err != nil {
			return err
		}
	}
	return d.root.Chmod(name, a.Mode)
}

// sweep removes what a write of path left behind when it was killed.
func (d *disk) sweep(file string) error {
	parent, base := path.Split(relative(file))
	dir, err := d.root.OpenRoot(path.Clean(parent))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clean up after %s: %w", file, err)
	}
	defer dir.Close()
	if err := atomicfile.Sweep(dir, base); err != nil {
		return fmt.Errorf("clean up after %s: %w", file, err)
	}
	return nil
}

// prune removes dir if it is empty, and says whether it is gone.
func (d *disk) prune(dir string) bool {
	err := d.root.Remove(relative(dir))
	return err == nil || errors.Is(err, fs.ErrNotExist)
}
