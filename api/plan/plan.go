// Package plan compares the files that settings ask for with those on a host
// to find what has to be done.
//
// It is pure: what is on disk and what was written before are arguments. A plan
// prints, as JSON and as text, and is carried out elsewhere. It knows nothing
// of templates, so that programs which only show plans stay small.
package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// A File is a file that settings ask for.
type File struct {
	Path     string
	Package  string
	Template string
	Mode     fs.FileMode
	Owner    string
	Group    string
	Content  []byte
	Units    []string
	OnChange recipe.OnChange
	Secret   bool
	Reads    []key.Key // the settings that the file depends on, sorted
}

// A Fault says why a file could not be rendered.
type Fault struct {
	Package  string `json:"package"`
	Template string `json:"template,omitempty"`
	Line     int    `json:"line,omitempty"`   // from 1; 0 where the fault has no place
	Column   int    `json:"column,omitempty"` // from 1, in bytes
	Path     string `json:"path,omitempty"`   // of the file; empty when its name could not be rendered either
	Setting  string `json:"setting,omitempty"`
	Detail   string `json:"detail"`
}

// Error names the place of the fault and what is wrong.
func (f *Fault) Error() string {
	place := f.Package
	if f.Template != "" {
		place = "template " + strings.TrimPrefix(f.Package+"/"+f.Template, "/")
	}
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	if f.Column > 0 {
		place += fmt.Sprintf(":%d", f.Column)
	}
	return place + ": " + f.Detail
}

// A DiskFile is a file as it is on disk.
type DiskFile struct {
	Content []byte
	Mode    fs.FileMode
	Owner   string
	Group   string
}

// Written is what an apply remembers of a file when everything that follows
// from the file's content is done: the units have been restarted. It says how
// to take the file back when nothing else knows of it any more.
type Written struct {
	Hash     string          `json:"hash"` // see Hash
	Package  string          `json:"package"`
	Units    []string        `json:"units,omitempty"`
	OnChange recipe.OnChange `json:"on_change"`
	Secret   bool            `json:"secret,omitempty"`
}

// Hash returns the hash of the contents of a file as Written has it.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Record returns what to remember of f once its plan is carried out.
func (f *File) Record() Written {
	return Written{Hash: Hash(f.Content), Package: f.Package, Units: f.Units, OnChange: f.OnChange, Secret: f.Secret}
}

// Input is everything that a plan depends on.
type Input struct {
	Changes  []document.Change // shown as they are: secrets have to be hidden before
	Files    []File            // what settings ask for
	Faults   []Fault           // what could not be rendered
	Disk     map[string]DiskFile
	Previous map[string]Written // by path: what the last apply has done
	Packages []*recipe.Package  // of the image
}

// A Plan says what to do. Its parts are carried out in the order of its
// fields: all files, then the daemon's reload, the actions, the units.
type Plan struct {
	Changes      []document.Change `json:"changes"`
	Files        []FileChange      `json:"files"`
	DaemonReload bool              `json:"daemon_reload"` // systemd has to read its units again
	Actions      []Action          `json:"actions"`
	Units        []UnitAction      `json:"units"`
	Faults       []Fault           `json:"faults"`
}

// A Verb says what happens to a file or a unit.
type Verb string

// What happens to files. Settle stands for a file that is as it should be
// while what follows from it has not been done: an apply was cut off.
const (
	Create Verb = "create"
	Update Verb = "update"
	Remove Verb = "remove"
	Chmod  Verb = "mode"
	Settle Verb = "settle"
)

// What happens to units.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Reload  Verb = "reload"
)

// A Mode is the permissions of a file. It is written in octal: 0644.
type Mode fs.FileMode

// String returns the mode in octal.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(fs.FileMode(m).Perm())) }

// MarshalText returns the mode in octal.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText returns.
func (m *Mode) UnmarshalText(b []byte) error {
	v, err := strconv.ParseUint(string(b), 8, 9)
	if err != nil {
		return fmt.Errorf("mode %q is not three octal digits after a 0", b)
	}
	*m = Mode(v)
	return nil
}

// A FileChange is one file to be changed.
type FileChange struct {
	Path   string   `json:"path"`
	Action Verb     `json:"action"`
	Mode   Mode     `json:"mode,omitempty"`
	Owner  string   `json:"owner,omitempty"`
	Group  string   `json:"group,omitempty"`
	Secret bool     `json:"secret,omitempty"` // the difference is not shown
	Diff   string   `json:"diff,omitempty"`   // unified
	Units  []string `json:"units,omitempty"`

	Content []byte `json:"-"` // what to write, for create and update
}

// An Action is a program to run.
type Action struct {
	Package string   `json:"package"`
	Name    string   `json:"name"`
	Exec    []string `json:"exec"`
	Because []string `json:"because"` // paths
}

// A UnitAction is something to be done with a unit. Restart and Reload are for
// units that run, or are about to.
type UnitAction struct {
	Name    string   `json:"name"`
	Action  Verb     `json:"action"`
	Because []string `json:"because"`         // paths
	After   []string `json:"after,omitempty"` // units of this plan to be done with before
	// Starts says that the unit is started where it would be reloaded and does not run.
	Starts bool `json:"starts,omitempty"`
}

// IsEmpty reports whether there is nothing to do. A plan with faults only is
// empty.
func (p *Plan) IsEmpty() bool {
	return len(p.Changes) == 0 && len(p.Files) == 0 && len(p.Units) == 0 && len(p.Actions) == 0 && !p.DaemonReload
}

// Make returns what leads from the files on disk to those that settings ask
// for. A file that could not be rendered stays as it is; when not even its name
// is known, nothing is removed.
func Make(in Input) *Plan {
	// JSON has a list for every part, also for an empty one.
	p := &Plan{Changes: list(in.Changes), Files: []FileChange{}, Faults: list(in.Faults)}
	c := compare(in)
	for _, ch := range c.changes {
		p.Files = append(p.Files, ch.FileChange)
		p.DaemonReload = p.DaemonReload || isUnitPath(ch.Path)
	}
	p.Actions = list(actions(c.changes, in.Packages))
	p.Units = list(unitActions(c, in))
	return p
}

func list[T any](l []T) []T { return append([]T{}, l...) }

func comparePaths(a, b change) int { return cmp.Compare(a.Path, b.Path) }
