package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

// ErrNotMigrated says that the settings are in a data format that they could not
// be brought out of. They were not changed.
var ErrNotMigrated = errors.New("settings could not be migrated")

// A migrator brings what is stored from one data format to another.
type migrator struct {
	set      migration.Set
	from, to int
	hops     []hop
}

// migrate brings the whole database to the format of this program, in one
// transaction. Transactions that are pending do not survive it.
func (s *Store) migrate() error {
	m := migrator{set: s.way, from: s.state.Format, to: s.opt.Format}
	if m.from == m.to {
		return nil
	}
	m.hops = hops(m.set, s.left, m.from, m.to)
	if err := s.carryOut(m); err != nil {
		return fmt.Errorf("%w from data format %d to %d: %w", ErrNotMigrated, m.from, m.to, err)
	}
	s.opt.Log.Info("settings were migrated", "from", m.from, "to", m.to, "written by", s.state.Version)
	s.post(EventMigrated, internal, nil, fmt.Sprintf("from data format %d to %d", m.from, m.to))
	return nil
}

func (s *Store) carryOut(m migrator) error {
	values, err := m.values(s.values)
	if err != nil {
		return err
	}
	g, good := s.good()
	user, err := m.layer(good, g.ID)
	if err != nil {
		return err
	}
	left := s.leave(m, user.doc, values)
	next := s.state
	next.Format = m.to
	next.Revision++
	err = s.write(next, func(tx *bbolt.Tx) error {
		for _, k := range s.kept {
			if err := m.rewrite(tx.Bucket(bucketGenerations), k.ID); err != nil {
				return err
			}
		}
		all := maps.Clone(values)
		maps.Copy(all, s.values)
		for k := range all {
			if err := putValue(tx, k, values); err != nil {
				return err
			}
		}
		if err := putLeft(tx, s.left, m.hops, left); err != nil {
			return err
		}
		return s.putSteps(tx)
	})
	if err != nil {
		return err
	}
	// From here on the settings are in the new format, for good.
	c, err := readContents(s.path(), keepHeaders)
	if err == nil {
		err = s.adopt(c)
	}
	if err != nil {
		return fmt.Errorf("read migrated settings: %w", err)
	}
	return nil
}

// putSteps stores the migrations of this program, by which an older one finds the
// way back: it knows only those up to its own format.
func (s *Store) putSteps(tx *bbolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(keySteps, sealSteps.close(s.opt.Migrations.JSON()))
}

// keepSteps stores the migrations of this program, if they are not there.
func (s *Store) keepSteps() error {
	if s.opt.Migrations.Newest() == 1 || bytes.Equal(s.steps, s.opt.Migrations.JSON()) || s.db.readOnly() {
		return nil
	}
	if err := s.write(s.state, s.putSteps); err != nil {
		return fmt.Errorf("store the migrations: %w", err)
	}
	s.steps = s.opt.Migrations.JSON()
	return nil
}

// findWay puts together the migrations that are known: this program's, those that
// stand with the settings, and, where they do not reach, those from elsewhere.
func (s *Store) findWay(format int, stored ...[]byte) error {
	s.way = s.opt.Migrations
	for _, text := range stored {
		if len(text) == 0 {
			continue
		}
		more, rep := migration.ParseJSON("stored migrations", text)
		if err := rep.Err(); err != nil {
			s.opt.Log.Warn("stored migrations cannot be read", "err", err)
			continue
		}
		s.way = s.way.Extend(more)
	}
	err := s.way.Path(format, s.opt.Format)
	if err != nil && s.opt.OtherMigrations != nil {
		s.way = s.way.Extend(s.opt.OtherMigrations())
		err = s.way.Path(format, s.opt.Format)
	}
	if err != nil {
		return fmt.Errorf("%w: %w; nothing was changed: start the version that wrote the settings, or one whose migrations know format %d (this one works with %d)",
			ErrNotMigrated, err, format, s.opt.Format)
	}
	return nil
}

// rewrite migrates one generation where it lies. One whose document cannot be
// read stays as it is, for its other half to be shown.
func (m migrator) rewrite(b *bbolt.Bucket, id uint64) error {
	r, err := decodeRecord(b.Get(idKey(id)))
	if err != nil {
		return err
	}
	doc, set, err := r.document()
	if err != nil {
		return nil
	}
	l, err := m.layer(layer{doc, set}, id)
	if err != nil {
		return err
	}
	r.header.Set = l.set.runs(l.doc)
	r.toml = l.doc.TOML()
	rec, err := r.encode()
	if err != nil {
		return err
	}
	return b.Put(idKey(id), rec)
}

// layer migrates l, which is of generation id.
func (m migrator) layer(l layer, id uint64) (layer, error) {
	for _, h := range m.hops {
		plain, err := h.plain(l, id)
		if err != nil {
			return layer{}, err
		}
		l = h.restore(plain, id)
	}
	return l, nil
}

func (h hop) apply(d document.Document) (document.Document, error) {
	return h.set.Apply(d, h.from, h.to)
}

// plain migrates l by steps alone; generation id set what comes out of nowhere.
func (h hop) plain(l layer, id uint64) (layer, error) {
	doc, err := h.apply(l.doc)
	if err != nil {
		return layer{}, err
	}
	origins, err := ancestry(l.doc, doc, h.apply)
	if err != nil {
		return layer{}, err
	}
	set := make(setBy, doc.Len())
	for k := range doc.All() {
		set[k] = id
		if by, ok := l.set[k]; ok {
			set[k] = by
		} else if from, ok := origins[k]; ok {
			set[k] = l.set[from]
		}
	}
	return layer{doc, set}, nil
}

// restore returns what generation id was in the format that h leads to, where that
// is known: as it was left behind, with what was changed since. A generation from
// before that may have been anything.
func (h hop) restore(plain layer, id uint64) layer {
	switch {
	case h.left == nil || id < h.left.generation:
		return plain
	case id == h.left.generation:
		return h.left.kept
	}
	doc := lay(h.left.kept.doc, changed(h.left.base, plain.doc))
	set := make(setBy, doc.Len())
	for k, v := range doc.All() {
		now, there := plain.doc.Get(k)
		old, was := h.left.kept.doc.Get(k)
		switch {
		case there && now == v && !(was && old == v):
			set[k] = plain.set[k]
		default:
			set[k] = h.left.kept.set[k]
		}
	}
	return layer{doc, set}
}

// values migrates the generated layer. What a step adds by itself is not
// taken over: nobody generated it.
func (m migrator) values(values map[key.Key]generated) (map[key.Key]generated, error) {
	for _, h := range m.hops {
		var err error
		if values, err = h.values(values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (h hop) values(values map[key.Key]generated) (map[key.Key]generated, error) {
	before := valuesDocument(values)
	after, err := h.apply(before)
	if err != nil {
		return nil, err
	}
	origins, err := ancestry(before, after, h.apply)
	if err != nil {
		return nil, err
	}
	out := map[key.Key]generated{}
	for k, v := range after.All() {
		from, ok := k, true
		if _, stayed := before.Get(k); !stayed {
			from, ok = origins[k]
		}
		if ok {
			g := values[from]
			g.Key, g.Value, g.Raw = k, v, v.JSON()
			out[k] = g
		}
	}
	if h.left == nil {
		return out, nil
	}
	for k := range lay(valuesDocument(h.left.values), changed(h.left.baseGen, after)).All() {
		if _, there := out[k]; there {
			continue
		}
		if g, ok := h.left.values[k]; ok { // the steps could not keep it
			out[k] = g
		}
	}
	return out, nil
}
