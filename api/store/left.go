package store

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

// keepLeft is how many leftovers stay. Each is a document; a node that goes back
// further than that loses nothing but what migrations could not keep.
const keepLeft = 3

// A leftover is the settings of a data format as a migration left them behind,
// with what it made of them. On the way back it gives again what the steps could
// not keep.
type leftover struct {
	Format     int         `json:"format"`
	Version    string      `json:"version"`    // of the image that left it
	Generation uint64      `json:"generation"` // that was current
	Time       time.Time   `json:"time"`
	TOML       string      `json:"toml"`          // the user layer
	Set        []uint64    `json:"set,omitempty"` // who set its leaves, see runs
	Generated  []generated `json:"generated,omitempty"`

	Next          int    `json:"next"`           // the format that the settings got
	Steps         string `json:"steps"`          // the fingerprint of the way there
	NextTOML      string `json:"next_toml"`      // the user layer then
	NextGenerated string `json:"next_generated"` // the generated layer then, as TOML
}

// A hop is a part of the way from one format to another: by steps alone, or with
// what was left behind when the way was gone in the other direction.
type hop struct {
	set      migration.Set
	from, to int
	left     *restorable // nil for steps alone
}

// restorable is a leftover that was read, in the format that the hop leads to.
type restorable struct {
	generation uint64
	kept       layer
	values     map[key.Key]generated
	base       document.Document // what the hop makes of what it became
	baseGen    document.Document // the same for the generated layer
}

// hops returns the way from one format to another. Where a leftover was made by the
// same steps, and leads some of the way back, the way goes by it.
func hops(set migration.Set, left map[int]leftover, from, to int) []hop {
	var out []hop
	for from != to {
		h := hop{set: set, from: from, to: to}
		best, found := nearest(set, left, from, to)
		if found {
			h.to = best.Format
			h.left, _ = best.restorable(set) // what cannot be read is not gone by
		}
		out = append(out, h)
		from = h.to
	}
	return out
}

// nearest returns the leftover that became the format from, on the way to the
// format to, that is nearest to the former.
func nearest(set migration.Set, left map[int]leftover, from, to int) (leftover, bool) {
	var on []leftover
	for _, l := range left {
		onWay := min(from, to) <= l.Format && l.Format <= max(from, to)
		if l.Next == from && l.Format != from && onWay && l.Steps == set.Fingerprint(l.Format, l.Next) {
			on = append(on, l)
		}
	}
	if len(on) == 0 {
		return leftover{}, false
	}
	distance := func(l leftover) int { return max(l.Format-from, from-l.Format) }
	return slices.MinFunc(on, func(a, b leftover) int { return cmp.Compare(distance(a), distance(b)) }), true
}

func (l leftover) restorable(set migration.Set) (*restorable, error) {
	doc, err := document.ParseTOML([]byte(l.TOML))
	if err != nil {
		return nil, err
	}
	by, err := unroll(l.Set, doc)
	if err != nil {
		return nil, err
	}
	r := &restorable{generation: l.Generation, kept: layer{doc, by}, values: map[key.Key]generated{}}
	for _, g := range l.Generated {
		g.Value = document.NewValue(g.Raw)
		r.values[g.Key] = g
	}
	for text, to := range map[string]*document.Document{l.NextTOML: &r.base, l.NextGenerated: &r.baseGen} {
		next, err := document.ParseTOML([]byte(text))
		if err != nil {
			return nil, err
		}
		if *to, err = set.Apply(next, l.Next, l.Format); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// changed returns what leads from a to b.
func changed(a, b document.Document) document.Patch {
	var p document.Patch
	var set []document.Leaf
	for _, c := range document.Diff(a, b) {
		if c.New == nil {
			p.Unset = append(p.Unset, c.Key)
		} else {
			set = append(set, document.Leaf{Key: c.Key, Value: *c.New})
		}
	}
	p.Set = document.Of(set...)
	return p
}

// leave returns the leftover of what is stored, which becomes next.
func (s *Store) leave(m migrator, user document.Document, values map[key.Key]generated) leftover {
	g, l := s.good()
	out := leftover{
		Format: m.from, Version: s.state.Version, Generation: g.ID, Time: s.stamp(), TOML: string(l.doc.TOML()), Set: l.set.runs(l.doc),
		Next: m.to, Steps: m.set.Fingerprint(m.from, m.to), NextTOML: string(user.TOML()), NextGenerated: string(valuesDocument(values).TOML()),
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.values), key.Key.Compare) {
		out.Generated = append(out.Generated, s.values[k])
	}
	return out
}

// putLeft stores what is left behind, and forgets what the way went by, and the
// oldest of what is too much.
func putLeft(tx *bbolt.Tx, left map[int]leftover, by []hop, add leftover) error {
	b, err := tx.CreateBucketIfNotExists(bucketLeft)
	if err != nil {
		return err
	}
	all := maps.Clone(left)
	for _, h := range by {
		delete(all, h.to)
	}
	delete(all, add.Format)
	for len(all) >= keepLeft {
		oldest := slices.MinFunc(slices.Collect(maps.Values(all)), func(a, b leftover) int { return a.Time.Compare(b.Time) })
		delete(all, oldest.Format)
	}
	for f := range left {
		if _, stays := all[f]; !stays {
			if err := b.Delete(idKey(uint64(f))); err != nil {
				return err
			}
		}
	}
	rec, err := sealJSON(sealLeft, add)
	if err != nil {
		return err
	}
	return b.Put(idKey(uint64(add.Format)), rec)
}
