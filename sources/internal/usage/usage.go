// Package usage tells mistakes in the use of a command from what went wrong
// while it did its work.
package usage

import "errors"

// A mistake is an error of the caller of a command.
type mistake struct{ error }

// Mistake returns err as a mistake of the caller.
func Mistake(err error) error { return mistake{err} }

// Is reports whether err is a mistake of the caller.
func Is(err error) bool {
	_, ok := errors.AsType[mistake](err)
	return ok
}

// ExitCode returns 2, as for all misused commands.
func (mistake) ExitCode() int { return 2 }

func (m mistake) Unwrap() error { return m.error }
