package store

import (
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

// A migrator brings what is stored from one data format to another.
type migrator struct {
	set      migration.Set
	from, to int
}

func (m migrator) apply(d document.Document) (document.Document, error) {
	return m.set.Apply(d, m.from, m.to)
}

// migrate brings the whole database to the format of this program, in one
// transaction. Transactions that are pending do not survive it.
func (s *Store) migrate() error {
	m := migrator{s.opt.Migrations, s.state.Format, s.opt.Format}
	if m.from == m.to {
		return nil
	}
	values, err := m.values(s.values)
	if err != nil {
		return err
	}
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
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrate from data format %d to %d: %w", m.from, m.to, err)
	}
	c, err := readContents(s.path(), keepHeaders)
	if err == nil {
		err = s.adopt(c)
	}
	if err != nil {
		return fmt.Errorf("read migrated settings: %w", err)
	}
	s.opt.Log.Info("settings were migrated", "from", m.from, "to", m.to)
	s.post(EventMigrated, internal, nil, fmt.Sprintf("from data format %d to %d", m.from, m.to))
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

// layer migrates l; generation id set what comes out of nowhere.
func (m migrator) layer(l layer, id uint64) (layer, error) {
	doc, err := m.apply(l.doc)
	if err != nil {
		return layer{}, err
	}
	origins, err := ancestry(l.doc, doc, m.apply)
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

// values migrates the generated layer. What a step adds by itself is not
// taken over: nobody generated it.
func (m migrator) values(values map[key.Key]generated) (map[key.Key]generated, error) {
	before := valuesDocument(values)
	after, err := m.apply(before)
	if err != nil {
		return nil, err
	}
	origins, err := ancestry(before, after, m.apply)
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
	return out, nil
}
