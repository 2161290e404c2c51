package boottest

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// processors is how many are emulated at a time.
const processors = 2

// takeTurn waits until n processors are free, of those that all processes which
// boot machines share, and returns what gives them back.
func (l *Lab) takeTurn(n int) (giveBack func(), err error) {
	if n < 1 || n > processors {
		return nil, fmt.Errorf("a machine with %d processors: want 1 to %d", n, processors)
	}
	// Who wants one takes either; who wants both takes them in this order, so that
	// nobody waits for somebody who waits for him.
	if n == 1 {
		for i := range processors {
			unlock, err := lock(l.seat(i), unix.LOCK_EX|unix.LOCK_NB)
			if !errors.Is(err, unix.EWOULDBLOCK) {
				return unlock, err
			}
		}
		return lock(l.seat(processors-1), unix.LOCK_EX)
	}
	var held []func()
	giveBack = func() {
		for _, unlock := range held {
			unlock()
		}
	}
	for i := range n {
		unlock, err := lock(l.seat(i), unix.LOCK_EX)
		if err != nil {
			giveBack()
			return nil, err
		}
		held = append(held, unlock)
	}
	return giveBack, nil
}

// seat is the file that stands for a processor.
func (l *Lab) seat(i int) string { return filepath.Join(l.work, fmt.Sprintf("processor-%d.lock", i)) }
