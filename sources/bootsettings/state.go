package bootsettings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// A State is what is remembered from boot to boot. Parameters are named by their
// words on the command line.
type State struct {
	Tried   string   `json:"tried,omitempty"`   // those that the node was rebooted for
	Pending *Pending `json:"pending,omitempty"` // those that no healthy boot has had so far
	Failed  string   `json:"failed,omitempty"`  // those with which a version did not come up
}

// Pending are parameters that a version is to be started with for the first time.
type Pending struct {
	Root string `json:"root"` // hash, of the version
	Goal string `json:"goal"`
}

// settle returns the state once the slots show what became of parameters that were
// pending: they have failed with their version, when another one has taken over.
func (s State) settle(v slots.View, have string) State {
	run, p := v.Running(), s.Pending
	if p == nil || run == nil {
		return s
	}
	if p.Root == run.Root {
		if have != p.Goal || run.Name.State() == slots.Good {
			s.Pending = nil
		}
		return s
	}
	for _, e := range v.Entries {
		if e.Root != p.Root {
			continue
		}
		switch e.Name.State() {
		case slots.Trial: // it may come to run yet
			return s
		case slots.Bad:
			s.Failed = p.Goal
		}
	}
	s.Pending = nil
	return s
}

// loadState returns what a file remembers. What cannot be read is forgotten: it
// makes a warning less, or one reboot more.
func loadState(file string) (State, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	var s State
	if err == nil && json.Unmarshal(data, &s) != nil {
		s = State{}
	}
	return s, err
}

// text returns s as it is kept, or "" when there is nothing to remember.
func (s State) text() (string, error) {
	if s == (State{}) {
		return "", nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("remember boot settings: %w", err)
	}
	return string(data), nil
}
