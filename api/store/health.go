package store

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/update"
)

// The faults of the store itself, as Health tells them.
const (
	CodeRecovered   report.Code = "settings-recovered"    // the database was damaged; until settings are committed again
	CodeNotWritable report.Code = "settings-not-writable" // the last change could not be written
	CodeNotStaged   report.Code = "changes-not-writable"  // the last pending change could not be written
	CodeNoCopy      report.Code = "settings-copy-missing" // the plain copy could not be written
)

// Health returns what is wrong with the store and what had to be left out of
// the settings in it. The latter is a warning where a newer image has stored it.
func (s *Store) Health() []report.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []report.Fault
	for _, code := range slices.Sorted(maps.Keys(s.faults)) {
		out = append(out, s.faults[code])
	}
	back := s.wentBack()
	for _, f := range s.now.report.Faults {
		if f.Severity != report.Error {
			continue
		}
		if back {
			f.Severity = report.Warning
		}
		out = append(out, f)
	}
	return out
}

// wentBack reports whether the image is older than the one that it took over from.
// What that one has stored and this one does not know is then no reason to go
// forward again: somebody wanted the older one. With a newer image it is one,
// because the update has lost what was set.
func (s *Store) wentBack() bool {
	now, err := update.ParseVersion(s.opt.Version)
	if err != nil {
		return false
	}
	before, err := update.ParseVersion(s.state.Before)
	return err == nil && now.Compare(before) < 0
}

func (s *Store) complain(f report.Fault) { s.faults[f.Code] = f }

func (s *Store) knows(c report.Code) bool {
	_, there := s.faults[c]
	return there
}

func (s *Store) mend(c report.Code) { delete(s.faults, c) }
