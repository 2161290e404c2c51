package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A record is what the node remembers of the user data of a stage. That there is
// one says that the node has had it.
type record struct {
	Time  time.Time `json:"time"`
	Taken []taken   `json:"taken"`
}

// A taken is what was taken from one source.
type taken struct {
	Source     string         `json:"source"`
	From       string         `json:"from,omitempty"`
	SHA256     string         `json:"sha256"`
	Instance   string         `json:"instance,omitempty"`
	Generation uint64         `json:"generation,omitempty"` // that it made, if it changed something
	Faults     []report.Fault `json:"faults,omitempty"`
}

// fingerprint tells data from other data of the same source.
func fingerprint(d platform.Data) string {
	sum := sha256.New()
	for _, part := range [][]byte{d.UserData, d.Network} {
		digest := sha256.Sum256(part)
		sum.Write(digest[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// load returns the record in a file, and whether there is one. One that says
// nothing is there all the same: user data was taken.
func load(file string) (record, bool, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, fmt.Errorf("look whether user data was taken: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, true, fmt.Errorf("what is known of the user data: %s: %w", filepath.Base(file), err)
	}
	return r, true, nil
}

// save makes r the record in a file.
func (r record) save(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replace(file, data, 0o700, 0o600)
}

// replace writes a file whole, in a directory that is made if need be.
func replace(file string, data []byte, dirMode, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), dirMode); err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, filepath.Base(file), append(data, '\n'), atomicfile.Attributes{Mode: mode, UID: -1, GID: -1})
}

// recalled returns the faults of an earlier boot. They were reported then; by
// now whoever owns the node has had the chance to set what was meant.
func (r record) recalled() []report.Fault {
	var out []report.Fault
	for _, t := range r.Taken {
		for _, f := range t.Faults {
			f.Severity = report.Info
			out = append(out, f)
		}
	}
	return out
}

// differs says how what a source has now differs from what was taken, or "".
// A record of an earlier version, or one that says nothing, knows no sources.
func (r record) differs(s Source, d platform.Data) string {
	i := slices.IndexFunc(r.Taken, func(t taken) bool { return t.Source == s.Name() })
	switch {
	case len(r.Taken) == 0:
		return ""
	case i < 0:
		return "has user data now, and had none"
	case r.Taken[i].Instance != d.InstanceID:
		return fmt.Sprintf("is for another instance now: %q, was %q", d.InstanceID, r.Taken[i].Instance)
	case r.Taken[i].SHA256 != fingerprint(d):
		return "has other user data now than"
	}
	return ""
}
