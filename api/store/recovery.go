package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// keepDamaged is how many databases that were set aside stay.
const keepDamaged = 3

// openDatabase opens the database, after making one where there is none, and
// after recovering one that is damaged.
func (s *Store) openDatabase() error {
	err := s.openWhole()
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil || !missing && !errors.Is(err, ErrDamaged) {
		return err
	}
	story, err := s.rebuild(err, missing)
	if err != nil {
		return err
	}
	if err := s.openWhole(); err != nil {
		return err
	}
	if story != "" {
		s.tellRecovery(story, nil)
	}
	return nil
}

func (s *Store) openWhole() error {
	c, err := readContents(s.path(), keepHeaders)
	if err != nil {
		return err
	}
	if err := s.findWay(c.state.Format, c.steps); err != nil {
		return err
	}
	if s.db, err = openDatabase(s.path(), s.commit); err != nil {
		return err
	}
	if err := s.adopt(c); err != nil {
		err = errors.Join(err, s.db.close())
		s.db = nil
		return err
	}
	if s.db.readOnly() {
		s.complain(report.Fault{
			Severity: report.Error, Code: CodeNotWritable, Detail: "the settings database can be read only",
			Hint: "settings stay as they are until the state directory can be written again",
		})
	}
	return nil
}

// A salvage is what a new database is made of.
type salvage struct {
	contents
	damage error // nil when there was no database at all
	copy   plainCopy
	copied bool // whether there is a copy
}

// rebuild makes a new database out of what is left of the old one and the
// plain copy, and sets the old one aside. The story tells what came of it; it
// is empty for a store that begins.
func (s *Store) rebuild(cause error, missing bool) (story string, err error) {
	var v salvage
	if !missing {
		v.damage = cause
		v.contents, _ = readContents(s.path(), keepRecords) // its fault is the cause we have
	}
	if v.copy, err = readCopy(s.copyPath()); err == nil {
		v.copied = true
	}
	st := v.state(s.opt.Format)
	if err := s.findWay(st.Format, v.steps, []byte(v.copy.Steps)); err != nil {
		return "", err
	}
	var rec []byte
	if !missing || v.copied {
		if rec, story, err = s.restored(&v, &st); err != nil {
			return "", err
		}
	}
	aside := ""
	if !missing {
		if aside, err = s.asideName(); err != nil {
			return "", err
		}
	}
	if err := createDatabase(s.path(), aside, func(tx *bbolt.Tx) error { return v.fill(tx, st, rec) }); err != nil {
		return "", fmt.Errorf("make database: %w", storageError(err))
	}
	return story, nil
}

// state returns the state to begin with, from the best source there is.
func (v *salvage) state(format int) state {
	st := state{Format: format}
	switch {
	case v.contents.state != nil:
		st = *v.contents.state
		st.Try = nil
	case v.copied && v.copy.Format != 0:
		st.Format = v.copy.Format
	}
	st.Revision = max(st.Revision, v.copy.Revision)
	st.Last = max(st.Last, v.copy.Last, v.copy.Generation)
	for _, k := range v.kept {
		st.Last = max(st.Last, k.ID)
	}
	return st
}

// restored makes the record of the generation that brings back the last good
// settings, and with it st complete.
func (s *Store) restored(v *salvage, st *state) (rec []byte, story string, err error) {
	best, l, from := v.best()
	lost := ""
	if v.copied && (from == "" || v.copy.Generation > best) {
		doc, err := s.copyDocument(v.copy, st.Format)
		switch {
		case err == nil:
			best, l, from = v.copy.Generation, layer{doc: doc}, "the plain copy"
			if !v.copy.whole {
				from += ", which somebody has changed"
			}
		default:
			lost = "; " + err.Error()
			// The next copy would take its place, and it may be all there is.
			if err := os.Rename(s.copyPath(), s.copyPath()+".unreadable"); err != nil {
				s.opt.Log.Warn("unreadable copy could not be set aside", "err", err)
			}
		}
	}
	story = "the settings database was missing"
	if v.damage != nil {
		story = v.damage.Error()
	}
	story += lost
	if from == "" {
		story += "; nothing could be restored"
	} else {
		story += fmt.Sprintf("; restored generation %d from %s", best, from)
	}
	st.Last++
	st.Current = st.Last
	st.Revision++
	set := l.set
	if set == nil {
		set = attribute(l.doc, st.Current, nil, document.Document{}, nil)
	}
	rec, err = record{header{
		Generation: Generation{ID: st.Current, Parent: best, Time: s.stamp(), Actor: internal, Origin: OriginRecovery, Message: story},
		Set:        set.runs(l.doc),
	}, l.doc.TOML()}.encode()
	return rec, story, err
}

// best returns the newest generation among the records that was not on trial
// when the database was lost.
func (v *salvage) best() (id uint64, l layer, from string) {
	for _, k := range slices.Backward(v.kept) {
		trial := k.Try && k.ID > v.copy.Generation // not known to be confirmed
		if st := v.contents.state; st != nil {
			trial = st.Try != nil && st.Try.Generation == k.ID
		}
		if trial {
			continue
		}
		if l, err := decodeLayer(v.records[k.ID]); err == nil {
			return k.ID, l, "the damaged database"
		}
	}
	return 0, layer{}, ""
}

// bestSteps returns the migrations that lead to the format of the new database.
func (v *salvage) bestSteps() []byte {
	if len(v.steps) > 0 {
		return v.steps
	}
	return []byte(v.copy.Steps)
}

// fill puts everything into a new database. rec is the current generation, or
// nil.
func (v *salvage) fill(tx *bbolt.Tx, st state, rec []byte) error {
	var errs []error
	put := func(bucket, key, value []byte, err error) {
		if err == nil {
			err = tx.Bucket(bucket).Put(key, value)
		}
		errs = append(errs, err)
	}
	for id, b := range v.records {
		put(bucketGenerations, idKey(id), b, nil)
	}
	if rec != nil {
		put(bucketGenerations, idKey(st.Current), rec, nil)
	}
	for id, by := range v.authors {
		b, err := sealJSON(sealAuthor, author{id, by})
		put(bucketAuthors, idKey(id), b, err)
	}
	for f, l := range v.left {
		b, err := sealJSON(sealLeft, l)
		put(bucketLeft, idKey(uint64(f)), b, err)
	}
	if steps := v.bestSteps(); len(steps) > 0 {
		put(bucketMeta, keySteps, sealSteps.close(steps), nil)
	}
	values := map[key.Key]generated{}
	for _, g := range v.copy.Generated {
		values[g.Key] = g
	}
	maps.Copy(values, v.generated)
	for k, g := range values {
		b, err := sealJSON(sealGenerated, g)
		put(bucketGenerated, []byte(k.String()), b, err)
	}
	b, err := sealJSON(sealState, st)
	put(bucketMeta, keyState, b, err)
	return errors.Join(errs...)
}

// asideName returns a name for the damaged database and makes room for it.
func (s *Store) asideName() (string, error) {
	const mark = ".corrupt-"
	entries, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return "", storageError(err)
	}
	var old []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(s.path())+mark) {
			old = append(old, e.Name())
		}
	}
	name := filepath.Base(s.path()) + mark + s.stamp().Format("20060102T150405Z")
	for slices.Contains(old, name) { // twice in a second, or the clock went back
		name += "x"
	}
	for len(old) >= keepDamaged {
		if err := os.Remove(filepath.Join(s.opt.Dir, old[0])); err != nil {
			return "", storageError(err)
		}
		old = old[1:]
	}
	return filepath.Join(s.opt.Dir, name), nil
}
