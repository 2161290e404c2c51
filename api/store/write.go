package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// connect makes sure that the database is open.
func (s *Store) connect() error {
	if s.db != nil {
		return nil
	}
	return s.reopen()
}

// connectToWrite is connect for a change: a database that could only be read
// so far may be writable by now.
func (s *Store) connectToWrite() error {
	if s.db != nil && s.db.readOnly() {
		if err := s.db.close(); err != nil {
			s.opt.Log.Warn("database could not be closed", "err", err)
		}
		s.db = nil
	}
	return s.connect()
}

// reopen opens the database after a failure. What it holds counts; it differs
// from what is in memory only when a failed write could not be undone.
func (s *Store) reopen() error {
	c, err := readContents(s.path(), keepHeaders)
	if err != nil {
		return err
	}
	db, err := openDatabase(s.path(), s.commit)
	if err != nil {
		return err
	}
	s.db = db
	if c.state.equal(s.state) {
		return nil
	}
	if err := s.adopt(c); err != nil {
		s.db = nil
		return errors.Join(err, db.close())
	}
	s.now = s.evaluate(s.user.doc, Stored)
	s.publish()
	s.post(EventRecovered, internal, nil, "a change that was refused has been found in the database")
	return nil
}

// adopt takes over what the open database holds.
func (s *Store) adopt(c contents) error {
	read := func(id uint64) (layer, error) {
		if id == 0 {
			return layer{set: setBy{}}, nil
		}
		b, err := s.db.get(bucketGenerations, idKey(id))
		if err != nil {
			return layer{}, err
		}
		l, err := decodeLayer(b)
		if err != nil {
			return layer{}, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return l, nil
	}
	user, err := read(c.state.Current)
	if err != nil {
		return err
	}
	var base layer
	if c.state.Try != nil {
		if base, err = read(c.state.Try.Base); err != nil {
			return err
		}
	}
	s.state, s.kept, s.user, s.base, s.overdue = *c.state, c.kept, user, base, false
	s.authors, s.values, s.gen = c.authors, c.generated, valuesDocument(c.generated)
	s.left, s.steps = c.left, c.steps
	return nil
}

// write carries out the changes of fn and makes next the state, in one
// transaction: the point of commitment. When it fails, nothing has changed.
func (s *Store) write(next state, fn func(*bbolt.Tx) error) error {
	err := s.connectToWrite()
	if err == nil {
		err = s.db.update(func(tx *bbolt.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			b, err := sealJSON(sealState, next)
			if err != nil {
				return err
			}
			return tx.Bucket(bucketMeta).Put(keyState, b)
		})
		if err == nil {
			s.state = next
			s.mend(CodeNotWritable)
			s.mend(CodeNotStaged)
			return nil
		}
		s.db = nil
		if again := s.reopen(); again != nil {
			s.opt.Log.Error("database could not be opened again", "err", again)
		}
	}
	err = storageError(err)
	s.opt.Log.Error("settings could not be written", "err", err)
	s.complain(report.Fault{
		Severity: report.Error, Code: CodeNotWritable, Detail: err.Error(),
		Hint: "settings stay as they are until the state directory can be written again",
	})
	return err
}

// An addition is a generation about to be made.
type addition struct {
	doc     document.Document
	changed []key.Key // sorted
	header  header    // actor, message, origin, nonce; the rest is filled in
	try     time.Duration
	now     evaluation
}

// add makes a the current generation.
func (s *Store) add(a addition) (Generation, error) {
	next := s.state
	next.Last++
	next.Current, next.Try = next.Last, nil
	base, baseLayer := s.state.Current, s.user
	if s.state.Try != nil { // nobody has confirmed that
		base, baseLayer = s.state.Try.Base, s.base
	}
	if a.try > 0 {
		next.Try = &tryState{
			Generation: next.Current, Base: base, Boot: s.boot,
			Duration: int64(a.try), Deadline: int64(s.opt.Boot.Elapsed() + a.try),
		}
	}
	set := attribute(a.doc, next.Current, a.changed, s.user.doc, s.user.set)
	h := a.header
	h.ID, h.Parent, h.Time, h.Try, h.Changed = next.Current, s.state.Current, s.stamp(), a.try > 0, len(a.changed)
	h.Set = set.runs(a.doc)
	rec, err := record{h, a.doc.TOML()}.encode()
	if err != nil {
		return Generation{}, err
	}
	if len(rec) > maxDocument {
		return Generation{}, tooLarge("settings", fmt.Sprintf("the settings have %d bytes", len(rec)), maxDocument)
	}
	gone := s.surplus(int64(len(rec)), next)
	saved, lost := s.moveAuthors(gone, set)
	err = s.write(next, func(tx *bbolt.Tx) error {
		return putGeneration(tx, h.ID, rec, gone, saved, lost)
	})
	if err != nil {
		return Generation{}, err
	}
	h.Set = nil // what is kept in memory needs no copy of it
	s.kept = append(slices.DeleteFunc(slices.Clone(s.kept), func(k kept) bool { return slices.Contains(gone, k.ID) }), kept{h, int64(len(rec))})
	for _, id := range lost {
		delete(s.authors, id)
	}
	for _, by := range saved {
		s.authors[by.ID] = by.authorship
	}
	s.base = layer{}
	if a.try > 0 {
		s.base = baseLayer
	}
	s.user, s.now, s.overdue = layer{a.doc, set}, a.now, false
	if a.header.Origin != OriginRecovery {
		s.mend(CodeRecovered) // somebody has looked, and made up their mind
	}
	s.copySoon()
	return h.Generation, nil
}

func putGeneration(tx *bbolt.Tx, id uint64, rec []byte, gone []uint64, saved []author, lost []uint64) error {
	gens, authors := tx.Bucket(bucketGenerations), tx.Bucket(bucketAuthors)
	gens.FillPercent = 0.9 // ids ascend
	if err := gens.Put(idKey(id), rec); err != nil {
		return err
	}
	for _, id := range gone {
		if err := gens.Delete(idKey(id)); err != nil {
			return err
		}
	}
	for _, by := range saved {
		b, err := sealJSON(sealAuthor, by)
		if err != nil {
			return err
		}
		if err := authors.Put(idKey(by.ID), b); err != nil {
			return err
		}
	}
	for _, id := range lost {
		if err := authors.Delete(idKey(id)); err != nil {
			return err
		}
	}
	return nil
}

// surplus returns the oldest generations, those that must go for a new one of
// the given size. What a try comes back to stays.
func (s *Store) surplus(size int64, next state) []uint64 {
	count, total := len(s.kept)+1, size
	for _, k := range s.kept {
		total += k.size
	}
	var gone []uint64
	for _, k := range s.kept {
		if count <= s.opt.Retain && total <= s.opt.RetainBytes {
			break
		}
		if next.Try != nil && k.ID == next.Try.Base {
			continue
		}
		gone = append(gone, k.ID)
		count, total = count-1, total-k.size
	}
	return gone
}

// moveAuthors returns the authorships to save of the generations that go and
// still are the ones that set something, and those that nothing refers to any
// more.
func (s *Store) moveAuthors(gone []uint64, set setBy) (saved []author, lost []uint64) {
	used := map[uint64]bool{}
	for _, id := range set {
		used[id] = true
	}
	for _, id := range gone {
		if k, ok := findKept(s.kept, id); ok && used[id] {
			saved = append(saved, author{id, authorship{k.Time, k.Actor}})
		}
	}
	for id := range s.authors {
		if !used[id] {
			lost = append(lost, id)
		}
	}
	return saved, lost
}

const (
	// maxDocument bounds a generation, so that what is stored can be read
	// again.
	maxDocument = 16 << 20
	maxMessage  = 4096
)

func tooLarge(path, detail string, most int) error {
	var rep report.Report
	rep.Add(report.Fault{Code: report.TooLarge, Path: path, Detail: detail, Hint: fmt.Sprintf("want at most %d", most)})
	return rep.Err()
}

// nothing is the change of a write that only changes the state.
func nothing(*bbolt.Tx) error { return nil }
