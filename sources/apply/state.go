package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// stateDir is where apply remembers what it has done, below the root. Like /etc
// it is gone after a reboot.
const stateDir = "run/bulkhead/apply"

const stateFile = "written.json"

// A state is what applies remember.
type state struct {
	// Files are those with which everything is done: the file is written and
	// what follows from it has happened.
	Files map[string]plan.Written `json:"files"`
	// Pending are files that an apply has begun to write. Without it, one that
	// a killed apply wrote and that nobody wants any more would stay for good.
	Pending map[string]plan.Written `json:"pending,omitempty"`
	// Directories are those that applies make. They go with the last file.
	Directories map[string]bool `json:"directories,omitempty"`
}

func newState() *state {
	return &state{Files: map[string]plan.Written{}, Pending: map[string]plan.Written{}, Directories: map[string]bool{}}
}

// previous returns what plan.Make is to know of the past. Pending files that are
// wanted again are left to be made anew, with all that follows from it.
func (s *state) previous(wanted map[string]*plan.File) map[string]plan.Written {
	out := maps.Clone(s.Files)
	for p, w := range s.Pending {
		if _, known := out[p]; !known && wanted[p] == nil {
			out[p] = w
		}
	}
	return out
}

// loadState reads the state. One that cannot be read is put aside: an apply that
// does too much is better than none, on a node that nobody can log in to.
func loadState(root *os.Root) (*state, error) {
	s := newState()
	name := path.Join(stateDir, stateFile)
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err == nil {
		return s.complete(), nil
	}
	err = fmt.Errorf("what earlier applies did is not known: %w", err)
	return newState(), errors.Join(err, root.Rename(name, name+".broken"))
}

// complete makes up for maps that a file spells null.
func (s *state) complete() *state {
	empty := newState()
	if s.Files == nil {
		s.Files = empty.Files
	}
	if s.Pending == nil {
		s.Pending = empty.Pending
	}
	if s.Directories == nil {
		s.Directories = empty.Directories
	}
	return s
}

func (s *state) save(root *os.Root) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(stateDir, 0o755); err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	dir, err := root.OpenRoot(stateDir)
	if err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	defer dir.Close()
	if err := atomicfile.Replace(dir, stateFile, data, atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	return nil
}
