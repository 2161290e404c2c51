package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// recordFile says that the node has had its user data, and which.
const recordFile = "user-data.json"

// A record is what the node remembers of its user data.
type record struct {
	Source     string         `json:"source"`
	SHA256     string         `json:"sha256"`
	Generation uint64         `json:"generation,omitempty"` // that it made, if it changed something
	Time       time.Time      `json:"time"`
	Faults     []report.Fault `json:"faults,omitempty"`
}

// load returns the record in dir, and whether there is one. One that says
// nothing is there all the same: user data was taken.
func load(dir string) (record, bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, fmt.Errorf("look whether user data was taken: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, true, fmt.Errorf("what is known of the user data: %s: %w", recordFile, err)
	}
	return r, true, nil
}

// save makes r the record in dir.
func (r record) save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, recordFile, append(data, '\n'), atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1})
}

// recalled returns the faults of an earlier boot. They were reported then; by
// now whoever owns the node has had the chance to set what was meant.
func (r record) recalled() []report.Fault {
	var out []report.Fault
	for _, f := range r.Faults {
		f.Severity = report.Info
		out = append(out, f)
	}
	return out
}
