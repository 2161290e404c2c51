package apply

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/plan"
)

// recordFile is where a Recorder writes, below the root.
const recordFile = "run/bulkhead/units.log"

// A Recorder is the Manager of a sandbox: it writes down what would be done with
// the units. It takes each unit to be running, and instances of template units
// from when they are started.
type Recorder struct {
	file string

	mu      sync.Mutex
	stopped map[string]bool // by unit: what it was last told; guarded by mu
}

// A record is one line of the file.
type record struct {
	Time    time.Time `json:"time"`
	Verb    string    `json:"verb"`           // as of systemctl, or "run"
	Unit    string    `json:"unit,omitempty"` // or the name of an action
	Exec    []string  `json:"exec,omitempty"` // of an action
	Because []string  `json:"because,omitempty"`
}

// OpenRecorder returns the Recorder below root. It knows what earlier ones there
// have recorded.
func OpenRecorder(root string) (*Recorder, error) {
	r := &Recorder{file: filepath.Join(root, recordFile), stopped: map[string]bool{}}
	f, err := os.Open(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of units: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var rec record
		if json.Unmarshal(lines.Bytes(), &rec) == nil { // a line may have been cut off
			r.note(rec)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("record of units: %w", err)
	}
	return r, nil
}

func (r *Recorder) note(rec record) {
	switch plan.Verb(rec.Verb) {
	case plan.Start, plan.Restart, plan.Reload:
		r.stopped[rec.Unit] = false
	case plan.Stop:
		r.stopped[rec.Unit] = true
	}
}

// write adds a line in one call, so that lines of several processes do not mix.
func (r *Recorder) write(rec record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.Time = time.Now().UTC()
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o755); err != nil {
		return fmt.Errorf("record of units: %w", err)
	}
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record of units: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("record of units: %w", err)
	}
	r.note(rec)
	return nil
}

func (r *Recorder) unit(u plan.UnitAction, verb plan.Verb) error {
	return r.write(record{Verb: string(verb), Unit: u.Name, Because: u.Because})
}

// DaemonReload records a reload of the service manager.
func (r *Recorder) DaemonReload(context.Context) error { return r.write(record{Verb: "daemon-reload"}) }

// Start records a start.
func (r *Recorder) Start(_ context.Context, u plan.UnitAction) error { return r.unit(u, plan.Start) }

// Stop records a stop.
func (r *Recorder) Stop(_ context.Context, u plan.UnitAction) error { return r.unit(u, plan.Stop) }

// Restart records a restart.
func (r *Recorder) Restart(_ context.Context, u plan.UnitAction) error {
	return r.unit(u, plan.Restart)
}

// Reload records a reload.
func (r *Recorder) Reload(_ context.Context, u plan.UnitAction) error { return r.unit(u, plan.Reload) }

// Run records that a program would be run.
func (r *Recorder) Run(_ context.Context, a plan.Action) (string, error) {
	return "", r.write(record{Verb: "run", Unit: a.Name, Exec: a.Exec, Because: a.Because})
}

// State returns what the unit would be.
func (r *Recorder) State(_ context.Context, name string) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stopped, told := r.stopped[name]
	if stopped || (!told && strings.Contains(name, "@")) {
		return State{Active: "inactive", Sub: "dead"}, nil
	}
	return State{Active: "active", Sub: "running"}, nil
}

// Settled returns at once.
func (r *Recorder) Settled(context.Context, string) error { return nil }

// Journal returns nothing.
func (r *Recorder) Journal(context.Context, string) []string { return nil }
