package migration

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A reach says how much of a document a key of a step stands for.
type reach int

const (
	leafOnly reach = iota // the setting at the key
	subtree               // what lies at the key and below it
)

// put returns d with leaves set. They win over what is in their place: the
// same key, a table where a leaf goes, a leaf where a table goes.
func put(d document.Document, leaves []document.Leaf) document.Document {
	if len(leaves) == 0 {
		return d
	}
	set := document.Of(leaves...)
	unset := set.Keys()
	for k := range set.All() {
		for p := k.Parent(); !p.IsRoot(); p = p.Parent() {
			if _, taken := d.Get(p); taken {
				unset = append(unset, p)
			}
		}
	}
	slices.SortFunc(unset, key.Key.Compare)
	return d.Apply(document.Patch{Set: set, Unset: slices.Compact(unset)})
}

// free reports whether a leaf at k would be in nobody's place.
func free(d document.Document, k key.Key) bool {
	if d.Under(k).Len() > 0 {
		return false
	}
	for p := k.Parent(); !p.IsRoot(); p = p.Parent() {
		if _, taken := d.Get(p); taken {
			return false
		}
	}
	return true
}

// allowed applies the guard that steps share: nil lets every value pass.
func allowed(only *document.Value, v document.Value) bool { return only == nil || *only == v }

// backwards is a step that goes the other way round.
type backwards struct{ step }

func (b backwards) forward(d document.Document) document.Document  { return b.step.backward(d) }
func (b backwards) backward(d document.Document) document.Document { return b.step.forward(d) }

// A move gives settings another key.
type move struct {
	from, to pattern
	reach    reach
	only     *document.Value
}

func (m move) forward(d document.Document) document.Document {
	return m.shift(d, m.from, m.to)
}

func (m move) backward(d document.Document) document.Document {
	return m.shift(d, m.to, m.from)
}

func (m move) shift(d document.Document, from, to pattern) document.Document {
	var moved []document.Leaf
	rest := d.Filter(func(k key.Key, v document.Value) bool {
		caught, below, ok := from.match(k)
		if !ok || m.reach == leafOnly && len(below) > 0 || !allowed(m.only, v) {
			return true
		}
		target := to.key(caught)
		for _, s := range below {
			target = target.Child(s)
		}
		moved = append(moved, document.Leaf{Key: target, Value: v})
		return false
	})
	return put(rest, moved)
}

// A drop takes settings away. Its way back can only restore a fixed value.
type drop struct {
	key     pattern
	only    *document.Value
	restore *document.Value // nil restores nothing; else key has no wildcards
}

func (s drop) forward(d document.Document) document.Document {
	return d.Filter(func(k key.Key, v document.Value) bool {
		_, _, ok := s.key.match(k)
		return !ok || !allowed(s.only, v)
	})
}

func (s drop) backward(d document.Document) document.Document {
	if s.restore == nil {
		return d
	}
	k := s.key.key(nil)
	if !free(d, k) {
		return d
	}
	return put(d, []document.Leaf{{Key: k, Value: *s.restore}})
}

// A pair is a value and the one that takes its place.
type pair struct{ from, to document.Value }

// A replace exchanges values for others.
type replace struct {
	key      pattern
	pairs    []pair
	elements bool // the values are elements of the lists at key
}

func (s replace) forward(d document.Document) document.Document {
	return s.exchange(d, func(v document.Value) document.Value {
		for _, p := range s.pairs {
			if p.from == v {
				return p.to
			}
		}
		return v
	})
}

func (s replace) backward(d document.Document) document.Document {
	return s.exchange(d, func(v document.Value) document.Value {
		for _, p := range s.pairs {
			if p.to == v {
				return p.from
			}
		}
		return v
	})
}

func (s replace) exchange(d document.Document, one func(document.Value) document.Value) document.Document {
	return d.Map(func(k key.Key, v document.Value) document.Value {
		_, below, ok := s.key.match(k)
		if !ok || len(below) > 0 {
			return v
		}
		if s.elements {
			return eachElement(v, one)
		}
		return one(v)
	})
}

// eachElement returns the list v with f applied to its elements; a value that
// is no list stays as it is.
func eachElement(v document.Value, f func(document.Value) document.Value) document.Value {
	var items []jsontext.Value
	if !strings.HasPrefix(v.JSON(), "[") || json.Unmarshal([]byte(v.JSON()), &items) != nil {
		return v
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = f(document.NewValue(string(item))).JSON()
	}
	return document.NewValue("[" + strings.Join(out, ",") + "]")
}

// A split makes several settings out of one, by a separator or by cases.
type split struct {
	from      pattern
	to        []pattern
	separator string     // empty when cases say it all
	types     []pieceTyp // of the pieces between separators
	cases     []splitCase
}

type pieceTyp string

const (
	stringPiece  pieceTyp = "string"
	integerPiece pieceTyp = "integer"
)

type splitCase struct {
	from document.Value
	to   []document.Value
}

func (s split) forward(d document.Document) document.Document {
	var made []document.Leaf
	rest := d.Filter(func(k key.Key, v document.Value) bool {
		caught, below, ok := s.from.match(k)
		if !ok || len(below) > 0 {
			return true
		}
		values, ok := s.pieces(v)
		if !ok {
			return true
		}
		for i, p := range s.to {
			made = append(made, document.Leaf{Key: p.key(caught), Value: values[i]})
		}
		return false
	})
	return put(rest, made)
}

func (s split) backward(d document.Document) document.Document {
	var made []document.Leaf
	var used []key.Key
	for k := range d.All() {
		caught, below, ok := s.to[0].match(k)
		if !ok || len(below) > 0 {
			continue
		}
		keys, values, ok := s.gather(d, caught)
		if !ok {
			continue
		}
		if v, ok := s.whole(values); ok {
			made = append(made, document.Leaf{Key: s.from.key(caught), Value: v})
			used = append(used, keys...)
		}
	}
	slices.SortFunc(used, key.Key.Compare)
	return put(d.Filter(func(k key.Key, _ document.Value) bool {
		_, found := slices.BinarySearchFunc(used, k, key.Key.Compare)
		return !found
	}), made)
}

// gather returns the settings that a split made; ok is false unless all are there.
func (s split) gather(d document.Document, caught []string) (keys []key.Key, values []document.Value, ok bool) {
	for _, p := range s.to {
		k := p.key(caught)
		v, ok := d.Get(k)
		if !ok {
			return nil, nil, false
		}
		keys, values = append(keys, k), append(values, v)
	}
	return keys, values, true
}

// pieces returns what v is split into.
func (s split) pieces(v document.Value) ([]document.Value, bool) {
	for _, c := range s.cases {
		if c.from == v {
			return c.to, true
		}
	}
	text, ok := stringOf(v)
	if s.separator == "" || !ok {
		return nil, false
	}
	words := strings.Split(text, s.separator)
	if len(words) != len(s.to) {
		return nil, false
	}
	out := make([]document.Value, len(words))
	for i, w := range words {
		if s.types[i] == stringPiece {
			out[i] = document.StringValue(w)
			continue
		}
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != w { // "08" would come back as "8"
			return nil, false
		}
		out[i] = document.NewValue(w)
	}
	return out, true
}

// whole returns what splits into values.
func (s split) whole(values []document.Value) (document.Value, bool) {
	for _, c := range s.cases {
		if slices.Equal(c.to, values) {
			return c.from, true
		}
	}
	if s.separator == "" {
		return document.Value{}, false
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.JSON()
		if s.types[i] == stringPiece {
			text, ok := stringOf(v)
			if !ok {
				return document.Value{}, false
			}
			words[i] = text
		}
	}
	v := document.StringValue(strings.Join(words, s.separator))
	// A piece that holds the separator would not come apart the same way.
	if back, ok := s.pieces(v); !ok || !slices.Equal(back, values) {
		return document.Value{}, false
	}
	return v, true
}

// stringOf returns the text of a value that is a string.
func stringOf(v document.Value) (string, bool) {
	if !strings.HasPrefix(v.JSON(), `"`) {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, v.JSON())
	return string(text), err == nil
}
