package updater

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// A memory is what the updater itself has to know of earlier runs.
type memory struct {
	// Root and SignedTime are the version of the trusted root and the time at which
	// the repository was signed when it was last seen: the present is no earlier.
	Root       int64     `json:"root,omitempty"`
	SignedTime time.Time `json:"signed_time,omitzero"`
	// Bundle says that what is chosen is in the bundle that is kept.
	Bundle bool `json:"bundle,omitempty"`
	// Intent is what is being written to the slot.
	Intent *intent `json:"intent,omitempty"`
	// Tried is the version that was activated, until it is known what became of it.
	Tried string `json:"tried,omitempty"`
	From  string `json:"from,omitempty"` // what ran then
}

// An intent says what a slot is going to hold.
type intent struct {
	Version  string    `json:"version"`
	Root     string    `json:"root_hash"`
	Slot     string    `json:"slot"`
	Started  time.Time `json:"started"`
	Attempts int       `json:"attempts"`
}

// memoryFile is beside the status.
const memoryFile = "updater.json"

// A store keeps status, memory and history.
type store struct {
	dir   *os.Root
	group int // who may read; -1 for nobody else

	mu     sync.Mutex // guards status
	status updater.Status
	memory memory
}

// openStore opens the files in dir, which is made if need be.
func openStore(dir string, group int) (*store, error) {
	root, err := rootOf(dir, 0o750)
	if err != nil {
		return nil, err
	}
	s := &store{dir: root, group: group}
	if err := errors.Join(root.Chmod(".", 0o750), s.give(root, ".")); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	// What cannot be read is as if nothing had ever been done: the truth about slots
	// is on the ESP.
	_ = s.read(updater.StatusFile, &s.status)
	_ = s.read(memoryFile, &s.memory)
	if s.status.State == "" {
		s.status.State = updater.Idle
	}
	return s, nil
}

func (s *store) give(root *os.Root, name string) error {
	if s.group < 0 {
		return nil
	}
	return root.Chown(name, -1, s.group)
}

func (s *store) close() error { return s.dir.Close() }

func (s *store) read(name string, v any) error {
	data, err := s.dir.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func (s *store) write(name string, v any, mode fs.FileMode) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	err = atomicfile.Replace(s.dir, name, append(data, '\n'), atomicfile.Attributes{Mode: mode, UID: -1, GID: s.group})
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(s.dir.Name(), name), err)
	}
	return nil
}

// update changes the status and writes it.
func (s *store) update(change func(*updater.Status)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	if s.status.AvailableUpdates == nil {
		s.status.AvailableUpdates = []string{}
	}
	return s.write(updater.StatusFile, s.status, 0o640)
}

// now returns the status.
func (s *store) now() updater.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// remember changes the memory, and writes it if that made a difference.
func (s *store) remember(change func(*memory)) error {
	before := s.memory
	change(&s.memory)
	if s.memory == before {
		return nil
	}
	return s.write(memoryFile, s.memory, 0o600)
}

// Bounds of the history in bytes. When it has grown beyond the first, the oldest
// lines go.
const (
	mostHistory = 256 << 10
	keepHistory = 128 << 10
)

// note adds an event to the history.
func (s *store) note(e updater.Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	data, err := s.dir.ReadFile(updater.HistoryFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(data) > mostHistory {
		data = data[len(data)-keepHistory:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	data = append(append(data, line...), '\n')
	return atomicfile.Replace(s.dir, updater.HistoryFile, data, atomicfile.Attributes{Mode: 0o640, UID: -1, GID: s.group})
}
