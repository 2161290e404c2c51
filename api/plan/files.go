package plan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// A change is a FileChange with what follows from it.
type change struct {
	FileChange
	pkg      string
	onChange recipe.OnChange
}

// comparison is what the files come to, with what units have before and
// afterwards.
type comparison struct {
	changes []change            // sorted by path
	before  map[string][]string // unit → its files of the last apply
	after   map[string][]string // unit → its files that are wanted
}

func compare(in Input) comparison {
	c := comparison{before: map[string][]string{}, after: map[string][]string{}}
	wanted := map[string]bool{}
	for i := range in.Files {
		f := &in.Files[i]
		wanted[f.Path] = true
		own(c.after, f.Units, f.Path)
		if ch, ok := changeOf(f, in); ok {
			c.changes = append(c.changes, ch)
		}
	}
	kept, keepAll := keptByFaults(in.Faults)
	for path, w := range in.Previous {
		own(c.before, w.Units, path)
		switch {
		case wanted[path]:
		case keepAll || kept[path]:
			own(c.after, w.Units, path)
		default:
			c.changes = append(c.changes, removal(path, w, in.Disk))
		}
	}
	slices.SortFunc(c.changes, comparePaths)
	return c
}

func own(by map[string][]string, units []string, path string) {
	for _, u := range units {
		by[u] = append(by[u], path)
	}
}

// keptByFaults returns the files that faults speak of.
func keptByFaults(faults []Fault) (paths map[string]bool, all bool) {
	paths = map[string]bool{}
	for _, f := range faults {
		if f.Path == "" {
			all = true
		}
		paths[f.Path] = true
	}
	return paths, all
}

func changeOf(f *File, in Input) (change, bool) {
	old, exists := in.Disk[f.Path]
	done, known := in.Previous[f.Path]
	ch := change{
		FileChange: FileChange{Path: f.Path, Mode: Mode(f.Mode), Owner: f.Owner, Group: f.Group, Secret: f.Secret, Units: f.Units},
		pkg:        f.Package, onChange: f.OnChange,
	}
	switch {
	case !exists:
		ch.Action = Create
	case !bytes.Equal(old.Content, f.Content):
		ch.Action = Update
	case !known || done.Hash != Hash(f.Content):
		ch.Action = Settle
	case old.Mode.Perm() != f.Mode.Perm() || old.Owner != f.Owner || old.Group != f.Group:
		ch.Action, ch.onChange = Chmod, recipe.Nothing
	default:
		return ch, false
	}
	if ch.Action == Create || ch.Action == Update {
		ch.Content = f.Content
		if !f.Secret && !done.Secret {
			ch.Diff = Diff(f.Path, old.Content, f.Content)
		}
	}
	return ch, true
}

func removal(path string, w Written, disk map[string]DiskFile) change {
	ch := change{FileChange: FileChange{Path: path, Action: Remove, Secret: w.Secret, Units: w.Units}, pkg: w.Package, onChange: w.OnChange}
	old, exists := disk[path]
	switch {
	case !exists:
		ch.Action = Settle
	case !w.Secret:
		ch.Diff = Diff(path, old.Content, nil)
	}
	return ch
}

// isUnitPath reports whether systemd reads the file at path as a unit or a
// part of one.
func isUnitPath(path string) bool {
	return strings.HasPrefix(path, "/etc/systemd/system/") || strings.HasPrefix(path, "/run/systemd/system/")
}
