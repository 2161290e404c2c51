package store

import (
	"errors"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A setBy says for each leaf of a document which generation set it.
type setBy map[key.Key]uint64

// attribute returns who set the leaves of d: generation id those that are
// among the sorted keys mentioned or differ from the parent's, and of the
// others whoever set them there.
func attribute(d document.Document, id uint64, mentioned []key.Key, parent document.Document, parentSet setBy) setBy {
	set := make(setBy, d.Len())
	for k, v := range d.All() {
		set[k] = id
		if old, ok := parent.Get(k); !ok || old != v {
			continue
		}
		if _, said := slices.BinarySearchFunc(mentioned, k, key.Key.Compare); !said {
			set[k] = parentSet[k]
		}
	}
	return set
}

// runs writes set, in which neighbours are mostly equal, as pairs of a
// generation and how many leaves of d in a row it has set.
func (set setBy) runs(d document.Document) []uint64 {
	var out []uint64
	for k := range d.All() {
		if n := len(out); n > 0 && out[n-2] == set[k] {
			out[n-1]++
			continue
		}
		out = append(out, set[k], 1)
	}
	return out
}

var errRuns = errors.New("provenance does not fit the document")

// unroll reads what runs wrote.
func unroll(pairs []uint64, d document.Document) (setBy, error) {
	set := make(setBy, d.Len())
	var by, left uint64
	for k := range d.All() {
		if left == 0 {
			if len(pairs) < 2 || pairs[1] == 0 {
				return nil, errRuns
			}
			by, left, pairs = pairs[0], pairs[1], pairs[2:]
		}
		set[k] = by
		left--
	}
	if left != 0 || len(pairs) != 0 {
		return nil, errRuns
	}
	return set, nil
}

// A lineage says which leaf became which in a migration.
type lineage map[key.Key]key.Key // new key to old key

// ancestry finds out where the leaves that only after has come from, by
// letting migrate have each leaf alone that only before has. What comes of
// nothing, and what takes several leaves to make, has no ancestor.
func ancestry(before, after document.Document, migrate func(document.Document) (document.Document, error)) (lineage, error) {
	l := lineage{}
	added, err := migrate(document.Document{})
	if err != nil {
		return nil, err
	}
	for k, v := range before.All() {
		if _, stayed := after.Get(k); stayed {
			continue
		}
		alone, err := migrate(document.Of(document.Leaf{Key: k, Value: v}))
		if err != nil {
			return nil, err
		}
		for to, v := range alone.All() {
			_, old := before.Get(to)
			_, there := after.Get(to)
			if by, ok := added.Get(to); there && !old && !(ok && by == v) {
				l[to] = k
			}
		}
	}
	return l, nil
}
