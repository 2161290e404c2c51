package server

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// An owed mark says that settings were, or are about to be, committed and not
// yet applied. It lies beside what the apply service remembers, in a place that
// a reboot clears: a daemon that was killed between a commit and its apply
// finds it at its start and makes up for it.
type owed struct {
	path string // of the mark; empty for none
	log  *slog.Logger

	mu   sync.Mutex // guards what follows
	open int        // changes that may be committed and are not handed over yet
}

// begin sets the mark. It is called before a commit, and end once the change is
// handed over, or was refused.
func (o *owed) begin() {
	if o.path == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open++
	err := os.MkdirAll(filepath.Dir(o.path), 0o755)
	if err == nil {
		err = os.WriteFile(o.path, nil, 0o600)
	}
	if err != nil { // the change itself does not depend on it
		o.log.Warn("apply could not be marked as owed", "err", err)
	}
}

// end closes what begin opened; busy tells whether something is left to apply.
func (o *owed) end(busy func() bool) {
	if o.path == "" {
		return
	}
	o.mu.Lock()
	o.open--
	o.mu.Unlock()
	o.settle(busy())
}

// settle removes the mark unless there is more to apply.
func (o *owed) settle(busy bool) {
	if o.path == "" || busy {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open > 0 {
		return
	}
	if err := os.Remove(o.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.log.Warn("mark of an owed apply could not be removed", "err", err)
	}
}

// left reports whether an earlier run of the daemon left the mark.
func (o *owed) left() bool {
	if o.path == "" {
		return false
	}
	_, err := os.Stat(o.path)
	return err == nil
}
