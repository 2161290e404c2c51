package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Copy makes a copy of a disk with room behind what is on it, in all of the
// given size. Holes stay holes. There is no copy before all of it is there.
func Copy(to, from string, size int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.Size() > size {
		return fmt.Errorf("copy disk %s: size %d, want at least its %d", from, size, info.Size())
	}
	part := to + ".part"
	out, err := os.Create(part)
	if err != nil {
		return err
	}
	err = copySparse(out, in, info.Size())
	if err == nil {
		err = out.Truncate(size)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(fmt.Errorf("copy disk %s: %w", from, err), os.Remove(part))
	}
	return os.Rename(part, to)
}

// copySparse copies what in holds and leaves holes where it has some.
func copySparse(out, in *os.File, size int64) error {
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return nil // the file system shares the blocks
	}
	for at := int64(0); at < size; {
		from, err := in.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		to, err := in.Seek(from, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, from), io.NewSectionReader(in, from, to-from)); err != nil {
			return err
		}
		at = to
	}
	return nil
}
