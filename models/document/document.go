// Package document holds settings as sets of leaves.
//
// A leaf is a setting that is set: its key and its value as compact JSON in
// the canonical form of the setting's type. A list is one leaf, whatever it
// holds. Tables have no existence of their own: a table is there when a leaf
// below it is.
//
// Documents are immutable and sorted by key, so that layers, changes and
// differences are merges of sorted lists and the same settings always give
// the same bytes.
package document

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Value is the value of a leaf: compact JSON, canonical for its type. Equal
// values have equal text. Values are made by package schema.
type Value struct{ json string }

// NewValue returns the value with the given canonical JSON text.
func NewValue(json string) Value { return Value{json} }

// JSON returns the text of v.
func (v Value) JSON() string { return v.json }

// MarshalJSON returns the text of v.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(v.json), nil }

// A Leaf is one setting that is set.
type Leaf struct {
	Key   key.Key
	Value Value
}

// A Document is a set of leaves. The zero Document is empty. Documents may be
// shared between goroutines.
type Document struct {
	leaves []Leaf // sorted by key, keys unique
}

// Of returns the document of leaves; of leaves with the same key the last counts.
func Of(leaves ...Leaf) Document {
	l := slices.Clone(leaves)
	slices.SortStableFunc(l, func(a, b Leaf) int { return a.Key.Compare(b.Key) })
	out := l[:0]
	for i, leaf := range l {
		if i+1 < len(l) && l[i+1].Key == leaf.Key {
			continue
		}
		out = append(out, leaf)
	}
	return Document{slices.Clip(out)}
}

// Len returns the number of leaves.
func (d Document) Len() int { return len(d.leaves) }

// All yields the leaves in the order of their keys.
func (d Document) All() iter.Seq2[key.Key, Value] {
	return func(yield func(key.Key, Value) bool) {
		for _, l := range d.leaves {
			if !yield(l.Key, l.Value) {
				return
			}
		}
	}
}

// Keys returns the keys of the leaves, sorted.
func (d Document) Keys() []key.Key {
	keys := make([]key.Key, len(d.leaves))
	for i, l := range d.leaves {
		keys[i] = l.Key
	}
	return keys
}

// Get returns the value of the leaf at k.
func (d Document) Get(k key.Key) (Value, bool) {
	i, ok := d.search(k)
	if !ok {
		return Value{}, false
	}
	return d.leaves[i].Value, true
}

func (d Document) search(k key.Key) (int, bool) {
	return slices.BinarySearchFunc(d.leaves, k, func(l Leaf, k key.Key) int { return l.Key.Compare(k) })
}

// Under returns the leaves at and below k.
func (d Document) Under(k key.Key) Document {
	from, _ := d.search(k)
	to := from
	for to < len(d.leaves) && d.leaves[to].Key.Under(k) {
		to++
	}
	return Document{slices.Clip(d.leaves[from:to])}
}

// Filter returns the leaves that keep accepts.
func (d Document) Filter(keep func(key.Key, Value) bool) Document {
	var out []Leaf
	for _, l := range d.leaves {
		if keep(l.Key, l.Value) {
			out = append(out, l)
		}
	}
	return Document{out}
}

// WithPrefix returns the leaves whose canonical key text starts with text, as
// the prefix filters of the API compare (api.md 4.2).
func (d Document) WithPrefix(text string) Document {
	return d.Filter(func(k key.Key, _ Value) bool { return strings.HasPrefix(k.String(), text) })
}

// Map returns d with each value replaced by what f gives for it.
func (d Document) Map(f func(key.Key, Value) Value) Document {
	out := make([]Leaf, len(d.leaves))
	for i, l := range d.leaves {
		out[i] = Leaf{l.Key, f(l.Key, l.Value)}
	}
	return Document{out}
}

// Equal reports whether d and o have the same leaves.
func (d Document) Equal(o Document) bool { return slices.Equal(d.leaves, o.leaves) }

// Merge returns the leaves of all layers; where several have a key, the first
// layer counts.
func Merge(layers ...Document) Document {
	var out Document
	for _, l := range slices.Backward(layers) {
		out = out.over(l)
	}
	return out
}

// over returns d with the leaves of top laid over it.
func (d Document) over(top Document) Document {
	if len(d.leaves) == 0 {
		return top
	}
	if len(top.leaves) == 0 {
		return d
	}
	out := make([]Leaf, 0, len(d.leaves)+len(top.leaves))
	a, b := d.leaves, top.leaves
	for len(a) > 0 && len(b) > 0 {
		c := a[0].Key.Compare(b[0].Key)
		if c < 0 {
			out, a = append(out, a[0]), a[1:]
			continue
		}
		out = append(out, b[0])
		b = b[1:]
		if c == 0 {
			a = a[1:]
		}
	}
	out = append(out, a...)
	return Document{slices.Clip(append(out, b...))}
}

// A Patch is a change to a document: keys to unset, with all that is below
// them, and leaves to set afterwards.
type Patch struct {
	Set   Document
	Unset []key.Key // sorted, unique
}

// IsEmpty reports whether p changes nothing whatever it is applied to.
func (p Patch) IsEmpty() bool { return p.Set.Len() == 0 && len(p.Unset) == 0 }

// Then returns the patch that does p and then q.
func (p Patch) Then(q Patch) Patch {
	var kept []Leaf
	for _, l := range p.Set.leaves {
		if !under(l.Key, q.Unset) {
			kept = append(kept, l)
		}
	}
	unset := append(slices.Clone(p.Unset), q.Unset...)
	slices.SortFunc(unset, key.Key.Compare)
	return Patch{Set: Document{kept}.over(q.Set), Unset: slices.Compact(unset)}
}

// Apply returns d changed by p.
func (d Document) Apply(p Patch) Document {
	if len(p.Unset) > 0 {
		d = d.Filter(func(k key.Key, _ Value) bool { return !under(k, p.Unset) })
	}
	return d.over(p.Set)
}

// under reports whether k lies at or below one of the sorted keys.
func under(k key.Key, keys []key.Key) bool {
	for {
		if _, ok := slices.BinarySearchFunc(keys, k, key.Key.Compare); ok {
			return true
		}
		if k.IsRoot() {
			return false
		}
		k = k.Parent()
	}
}

// A Change is one difference between two documents. A nil side means that the
// setting is not set there.
type Change struct {
	Key key.Key `json:"key"`
	Old *Value  `json:"old"`
	New *Value  `json:"new"`
}

// Diff returns what leads from a to b, sorted by key.
func Diff(a, b Document) []Change {
	var out []Change
	i, j := 0, 0
	for i < len(a.leaves) || j < len(b.leaves) {
		var c int
		switch {
		case i == len(a.leaves):
			c = 1
		case j == len(b.leaves):
			c = -1
		default:
			c = cmp.Compare(a.leaves[i].Key.Compare(b.leaves[j].Key), 0)
		}
		switch c {
		case -1:
			out = append(out, Change{Key: a.leaves[i].Key, Old: &a.leaves[i].Value})
			i++
		case 1:
			out = append(out, Change{Key: b.leaves[j].Key, New: &b.leaves[j].Value})
			j++
		default:
			if a.leaves[i].Value != b.leaves[j].Value {
				out = append(out, Change{Key: a.leaves[i].Key, Old: &a.leaves[i].Value, New: &b.leaves[j].Value})
			}
			i, j = i+1, j+1
		}
	}
	return out
}
