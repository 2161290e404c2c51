package store

import (
	"errors"
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// CodeNotMigrated is the fault of a store that OpenFrozen has opened.
const CodeNotMigrated report.Code = "settings-not-migrated"

// OpenFrozen opens a store for reading after Open has failed because of why: a node
// with old settings, or with none, can still be reached and told what to do. It
// changes nothing in the state directory, so that the version that can read the
// settings finds them as it left them. Changes are refused with ErrReadOnly, and
// Health says why.
//
// The settings are those of the other version in the format of this one, if they
// could only not be written; else those that this format was left with; else none.
func OpenFrozen(opt Options, why error) (*Store, error) {
	s := newStore(opt)
	s.mu.Lock()
	err := s.freeze(why)
	if err != nil {
		err = errors.Join(err, s.release())
	}
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("open settings in %s for reading: %w", opt.Dir, err)
	}
	return s, nil
}

func (s *Store) freeze(why error) error {
	if err := s.lockDir(); err != nil {
		return err
	}
	s.frozen = why
	s.opt.Log.Error("settings can only be read", "err", why)
	s.complain(report.Fault{
		Severity: report.Error, Code: CodeNotMigrated, Detail: why.Error(),
		Hint: "start the other version, which still has its settings: apiclient update rollback --reboot",
	})
	c, err := readContents(s.path(), keepRecords)
	if err != nil {
		s.opt.Log.Warn("what is stored cannot be read in full", "err", err)
	}
	s.state, s.authors, s.values, s.left = state{Format: s.opt.Format}, c.authors, map[key.Key]generated{}, c.left
	if c.state != nil {
		s.state = *c.state
		if t := s.state.Try; t != nil { // whoever changes the version reboots, which ends it
			s.state.Current, s.state.Try = t.Base, nil
		}
	}
	for _, k := range c.kept { // of others than the current one there is only the head
		if k.ID <= s.state.Current {
			s.kept = append(s.kept, k)
		}
	}
	s.user = layer{set: setBy{}}
	if !s.readMigrated(c) {
		s.readLeft()
	}
	s.gen = valuesDocument(s.values)
	s.now = s.evaluate(s.user.doc, Stored)
	s.pending = map[string]*transaction{}
	s.publish()
	return nil
}

// readMigrated takes over what is stored, in the format of this program, if there
// is a way to it.
func (s *Store) readMigrated(c contents) bool {
	if c.state == nil || s.findWay(c.state.Format, c.steps) != nil {
		return false
	}
	l, err := decodeLayer(c.records[s.state.Current])
	if err != nil && s.state.Current != 0 {
		return false
	}
	m := migrator{set: s.way, from: c.state.Format, to: s.opt.Format, hops: hops(s.way, c.left, c.state.Format, s.opt.Format)}
	values, err := m.values(c.generated)
	if err != nil {
		return false
	}
	if l, err = m.layer(l, s.state.Current); err != nil {
		return false
	}
	s.user, s.values = l, values
	return true
}

// readLeft takes over what was left behind in the format of this program.
func (s *Store) readLeft() {
	left, ok := s.left[s.opt.Format]
	if !ok {
		return
	}
	doc, err := document.ParseTOML([]byte(left.TOML))
	if err != nil {
		s.opt.Log.Warn("settings that were left behind cannot be read", "err", err)
		return
	}
	set, err := unroll(left.Set, doc)
	if err != nil {
		set = setBy{}
	}
	s.user = layer{doc, set}
	for _, g := range left.Generated {
		g.Value = document.NewValue(g.Raw)
		s.values[g.Key] = g
	}
	s.faults[CodeNotMigrated] = withDetail(s.faults[CodeNotMigrated], fmt.Sprintf("; the settings are those of version %s from %s", left.Version, left.Time.Format("2006-01-02 15:04 MST")))
}

func withDetail(f report.Fault, more string) report.Fault {
	f.Detail += more
	return f
}
