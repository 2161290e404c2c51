package slots

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthcheck"
)

// A Memory is what the names on the ESP cannot say. It is a help: without it, all
// slots can be used as before.
type Memory struct {
	// Attempt is the version that was activated and has not been healthy yet.
	Attempt *Attempt `json:"attempt,omitempty"`
	// Failed are versions that are not tried again without being asked for by
	// name.
	Failed []Failure `json:"failed,omitempty"`
	// Good are the root hashes of what was healthy. They decide which of two
	// names of one file is the right one.
	Good []string `json:"good,omitempty"`
}

// An Attempt is an activation.
type Attempt struct {
	Version string    `json:"version"`
	Root    string    `json:"root_hash"`
	From    string    `json:"from_root_hash"` // what ran
	Boot    string    `json:"boot_id"`        // the boot in which it was made
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason,omitempty"` // of the last try that was given up
	// BootDeadline is how long its boots may take, as settings said at the time.
	BootDeadline healthcheck.Span `json:"boot_deadline,omitzero"`
}

// A Failure is a version that did not come up.
type Failure struct {
	Version string    `json:"version"`
	Root    string    `json:"root_hash"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
}

// maxRemembered bounds both lists. The oldest go first.
const maxRemembered = 20

func (m Memory) clone() Memory {
	m.Failed, m.Good = slices.Clone(m.Failed), slices.Clone(m.Good)
	if m.Attempt != nil {
		a := *m.Attempt
		m.Attempt = &a
	}
	return m
}

func (m Memory) failure(root string) *Failure {
	for _, f := range m.Failed {
		if f.Root == root {
			return &f
		}
	}
	return nil
}

// fail remembers f in place of what was known of the same root.
func (m *Memory) fail(f Failure) {
	m.forgive(f.Root)
	m.Failed = append(m.Failed, f)
	m.Failed = m.Failed[max(0, len(m.Failed)-maxRemembered):]
	m.distrust(f.Root)
	if m.Attempt != nil && m.Attempt.Root == f.Root {
		m.Attempt = nil
	}
}

func (m *Memory) forgive(root string) {
	m.Failed = slices.DeleteFunc(m.Failed, func(f Failure) bool { return f.Root == root })
}

func (m *Memory) trust(root string) {
	m.distrust(root)
	m.Good = append(m.Good, root)
	m.Good = m.Good[max(0, len(m.Good)-maxRemembered):]
}

func (m *Memory) distrust(root string) {
	m.Good = slices.DeleteFunc(m.Good, func(r string) bool { return r == root })
}

// memoryFile is on PRIVATE.
const memoryFile = "boot-slots.json"

// maxMemory bounds what is read of the file.
const maxMemory = 256 << 10

// readMemory returns what is remembered in dir. What cannot be read is an error,
// beside which the empty memory is to be used.
func readMemory(dir *os.Root) (Memory, error) {
	f, err := dir.Open(memoryFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{}, nil
	}
	if err != nil {
		return Memory{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err != nil {
		return Memory{}, err
	}
	if len(data) > maxMemory {
		return Memory{}, fmt.Errorf("%s is larger than %d bytes", memoryFile, maxMemory)
	}
	var m Memory
	if err := json.Unmarshal(data, &m); err != nil {
		return Memory{}, fmt.Errorf("%s: %w", memoryFile, err)
	}
	return m, nil
}

func writeMemory(dir *os.Root, m Memory) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Replace(dir, memoryFile, append(data, '\n'), atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1})
}
