package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// temporary is how the names of temporary directories begin.
const temporary = "bulkhead-sandbox-"

// lockFile is the file in a temporary directory that its sandbox has locked as
// long as it runs.
const lockFile = "sandbox.lock"

// A directory is where a sandbox keeps its state.
type directory struct {
	path string
	keep bool     // at the end
	lock *os.File // nil unless the directory is a temporary one that is not kept
}

// open returns the directory that opt asks for, which is made when it is not
// there. It first removes the temporary ones that killed sandboxes have left.
func open(opt Options) (*directory, error) {
	if opt.Dir == "" {
		return openTemporary(opt.Keep)
	}
	path, err := filepath.Abs(opt.Dir)
	if err != nil {
		return nil, err
	}
	err = os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return &directory{path: path, keep: true}, nil
	}
	return &directory{path: path, keep: opt.Keep}, err
}

func openTemporary(keep bool) (*directory, error) {
	if err := sweep(os.TempDir()); err != nil {
		return nil, fmt.Errorf("remove what killed sandboxes left: %w", err)
	}
	path, err := os.MkdirTemp("", temporary)
	if err != nil || keep {
		return &directory{path: path, keep: keep}, err
	}
	lock, err := lockAt(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &directory{path: path, lock: lock}, nil
}

// lockAt locks a directory. Its lock file gets its name when it is locked, so
// that nobody finds it without its lock and takes the sandbox for a killed one.
func lockAt(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, lockFile+"-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(flock(f), os.Rename(f.Name(), filepath.Join(dir, lockFile))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// close removes the directory unless it is kept.
func (d *directory) close() error {
	if d.keep {
		return nil
	}
	err := os.RemoveAll(d.path)
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// sweep removes the directories below dir that belong to killed sandboxes of
// this user.
func sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, temporary+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, sweepOne(path))
	}
	return errors.Join(errs...)
}

func sweepOne(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || !own(info) {
		return nil // gone meanwhile, or nothing of this user's
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil // it is kept, or is just being made
	}
	defer f.Close()
	if flock(f) != nil {
		return nil // it is in use
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockFile { // last: without it nobody would come back for the others
			continue
		}
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(path)
}

func own(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}
