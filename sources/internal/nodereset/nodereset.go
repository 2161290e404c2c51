// Package nodereset makes a node forget what it was told.
//
// Whoever resets a node writes a mark on PRIVATE, which is the point that
// counts, and reboots it. The next boot carries the reset out before anything
// reads what is kept, and removes the mark last: wherever the power is cut, the
// boot after that begins again.
package nodereset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// markFile is on PRIVATE while a reset is due.
const markFile = "reset.json"

// maxMark bounds what is read of the file.
const maxMark = 64 << 10

// A Mark says that a reset is due.
type Mark struct {
	KeepData bool      `json:"keep_data,omitempty"` // DATA stays as it is
	Reason   string    `json:"reason,omitempty"`
	Time     time.Time `json:"time"`
}

// Set writes m into dir, where PRIVATE is mounted. When it has returned nil the
// next boot carries the reset out.
func Set(dir *os.Root, m Mark) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Replace(dir, markFile, append(data, '\n'), atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1})
}

// Due returns the mark in dir, and whether there is one. A mark that says
// nothing asks for a reset all the same, one that keeps the data: somebody has
// decided for it.
func Due(dir *os.Root) (Mark, bool, error) {
	f, err := dir.Open(markFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Mark{}, false, nil
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("look whether a reset is due: %w", err)
	}
	defer f.Close()
	var m Mark
	if err := json.NewDecoder(&bounded{f, maxMark}).Decode(&m); err != nil {
		return Mark{KeepData: true}, true, nil
	}
	return m, true, nil
}

// bounded ends a file after so many bytes.
type bounded struct {
	f    fs.File
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the file is too long")
	}
	n, err := b.f.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Clear removes the mark, when the reset is done, or when it is taken back.
func Clear(dir *os.Root) error { return atomicfile.Remove(dir, markFile) }

// Kept returns the names, or patterns of names, of what stays on PRIVATE: which
// machine it is, and what those who made the node put there for its first boot.
func Kept() []string { return []string{"machine-id", "lost+found", "net.toml", "user-data*"} }

func kept(name string) bool {
	return name == markFile || slices.ContainsFunc(Kept(), func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// Wipe removes from dir, where PRIVATE is mounted, all that a node has been told
// and has found out. Removing calls step with the name of each thing that goes.
func Wipe(dir *os.Root, step func(name string)) error {
	top, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	names, err := top.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	var errs []error
	for _, name := range names {
		if kept(name) {
			continue
		}
		step(name)
		if err := dir.RemoveAll(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, top.Sync())...)
}
