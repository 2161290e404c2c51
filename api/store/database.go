package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// A database is an open bbolt file. A failed update closes it for good: what
// bbolt has in memory may then differ from the file.
type database struct {
	bolt     *bbolt.DB
	file     *os.File // bbolt's own; for the meta pages
	pageSize int
	commit   committer
	broken   bool // bbolt has panicked and may hold its locks for ever
}

// A committer carries out a bbolt update: (*bbolt.DB).Update, or one that
// fails in ways that no file system does on request.
type committer func(*bbolt.DB, func(*bbolt.Tx) error) error

// openDatabase opens the file at path, which readContents has found whole. Where
// it cannot be written it is opened for reading.
func openDatabase(path string, commit committer) (*database, error) {
	d, err := openBolt(path, commit, false)
	if unwritable(err) {
		d, err = openBolt(path, commit, true)
	}
	return d, err
}

func openBolt(path string, commit committer, readOnly bool) (*database, error) {
	d := &database{commit: commit}
	if err := d.open(path, readOnly); err != nil {
		if d.broken && d.file != nil {
			err = errors.Join(err, d.close())
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return d, nil
}

func (d *database) open(path string, readOnly bool) (err error) {
	defer d.recovered(&err)
	debug.SetPanicOnFault(true)
	d.bolt, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      time.Second, // the directory is ours already
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		ReadOnly:     readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, perm)
			d.file = f
			return f, err
		},
	})
	if err != nil {
		return err
	}
	d.pageSize = d.bolt.Info().PageSize
	d.bolt.AllocSize = 1 << 20 // grow by less than bbolt's 16 MiB: the partition is small
	return nil
}

// recovered turns a panic, or an access to a page that is not there any more,
// into an error: the file may be damaged while it is open.
func (d *database) recovered(err *error) {
	debug.SetPanicOnFault(false)
	if p := recover(); p != nil {
		d.broken = true
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// close gives the file up. A broken bbolt cannot be closed; without its file it
// harms nobody. Its memory map stays, and would keep the lock.
func (d *database) close() error {
	if d.broken {
		return errors.Join(syscall.Flock(int(d.file.Fd()), syscall.LOCK_UN), d.file.Close())
	}
	return d.bolt.Close()
}

func (d *database) readOnly() bool { return d.bolt.IsReadOnly() }

// get returns a copy of a value, or nil.
func (d *database) get(bucket, key []byte) (value []byte, err error) {
	defer d.recovered(&err)
	debug.SetPanicOnFault(true)
	err = d.bolt.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket(bucket).Get(key))
		return nil
	})
	return value, err
}

// errUndone means that the update did not happen, errUnsure that it may have.
var (
	errUndone = errors.New("update failed")
	errUnsure = errors.New("update failed and could not be undone")
)

// update makes the changes of fn in one transaction, which is the point of
// commitment. When it returns an error, d is closed; unless the error wraps
// errUnsure, the file is as it was.
func (d *database) update(fn func(*bbolt.Tx) error) error {
	if d.readOnly() {
		return errors.Join(errUndone, syscall.EROFS, d.close())
	}
	before, err := d.metas()
	if err == nil {
		err = d.try(fn)
	}
	if err == nil {
		return nil
	}
	// The new meta page may be in the file although it could not be synced.
	// bbolt never writes to pages that the old one refers to, so putting it
	// back takes the whole update back.
	undo := d.restore(before)
	if undo != nil {
		err = errors.Join(errUnsure, err, undo)
	} else {
		err = fmt.Errorf("%w: %w", errUndone, err)
	}
	if closing := d.close(); closing != nil {
		err = errors.Join(err, closing)
	}
	return err
}

func (d *database) try(fn func(*bbolt.Tx) error) (err error) {
	defer d.recovered(&err)
	debug.SetPanicOnFault(true)
	return d.commit(d.bolt, fn)
}

// metas returns both meta pages as they are in the file.
func (d *database) metas() ([]byte, error) {
	b := make([]byte, 2*d.pageSize)
	_, err := d.file.ReadAt(b, 0)
	return b, err
}

func (d *database) restore(metas []byte) error {
	now, err := d.metas()
	if err != nil {
		return err
	}
	if bytes.Equal(now, metas) {
		return nil
	}
	if _, err := d.file.WriteAt(metas, 0); err != nil {
		return err
	}
	return syscall.Fdatasync(int(d.file.Fd()))
}

// createDatabase makes a database at path that holds what fill puts into it.
// The name appears only when everything is on disk. What was there before is
// kept under the name aside, unless that is empty.
func createDatabase(path, aside string, fill func(*bbolt.Tx) error) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := fillDatabase(draft, fill); err != nil {
		os.Remove(draft)
		return err
	}
	if aside != "" {
		// A second name first, so that there is a database at every moment.
		if err := os.Link(path, aside); err != nil {
			if err := os.Rename(path, aside); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func fillDatabase(path string, fill func(*bbolt.Tx) error) error {
	d, err := openBolt(path, (*bbolt.DB).Update, false)
	if err != nil {
		return err
	}
	err = d.try(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return fill(tx)
	})
	if err != nil {
		return errors.Join(err, d.close())
	}
	return d.close()
}

// syncDir makes the names in a directory last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
