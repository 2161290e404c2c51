package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// Errors of a request.
var (
	ErrTransactionName     = errors.New("transaction name is not acceptable, want 1 to 64 letters, digits, _ and -")
	ErrTooManyTransactions = errors.New("too many open transactions")
	ErrNothingPending      = errors.New("nothing is pending in the transaction")
	ErrStale               = errors.New("the settings have changed in the meantime")
	ErrTryPending          = errors.New("a generation is being tried; confirm it or revert first")
	ErrNoTry               = errors.New("no such generation is being tried")
	ErrNoGeneration        = errors.New("no such generation")
)

// Errors of the place where settings are kept. They come with their cause.
var (
	ErrNoSpace  = errors.New("no space left for settings")
	ErrReadOnly = errors.New("settings cannot be written")
	ErrDamaged  = errors.New("settings database is damaged")
	ErrInUse    = errors.New("state directory is in use by another process")
	ErrClosed   = errors.New("store is closed")
)

// noSpace are the ways in which a file system says that it is full.
var noSpace = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// storageError marks err, the failure of a write, with what it means for the
// caller. Whatever is not about space means that writing does not work.
func storageError(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrReadOnly) {
		return err
	}
	for _, e := range noSpace {
		// bbolt passes some causes on as text only.
		if errors.Is(err, e) || strings.HasSuffix(err.Error(), e.Error()) {
			return fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrReadOnly, err)
}

// unwritable reports whether err says that the place is there and can be read
// only.
func unwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) ||
		errors.Is(err, berrors.ErrDatabaseReadOnly)
}
