package document

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// JSON returns d as one JSON object nested by segments, without the outer
// "settings": compact, members sorted. The empty document is {}. A leaf at
// the root, as Under leaves it for a single setting, keeps its full path.
func (d Document) JSON() []byte { return d.AppendJSON(nil) }

// AppendJSON appends what JSON returns to dst.
func (d Document) AppendJSON(dst []byte) []byte {
	var w jsonWriter
	w.buf = append(dst, '{')
	for _, l := range d.leaves {
		w.leaf(l)
	}
	for range w.open {
		w.buf = append(w.buf, '}')
	}
	return append(w.buf, '}')
}

// MarshalJSON returns what JSON returns.
func (d Document) MarshalJSON() ([]byte, error) { return d.JSON(), nil }

type jsonWriter struct {
	buf   []byte
	open  []string // segments of the tables that are open
	comma bool     // whether the innermost open table has a member already
}

func (w *jsonWriter) leaf(l Leaf) {
	var segs [16]string
	path := segs[:0]
	for s := range l.Key.Segments() {
		path = append(path, s)
	}
	table, name := path[:len(path)-1], path[len(path)-1]
	same := 0
	for same < len(table) && same < len(w.open) && table[same] == w.open[same] {
		same++
	}
	for len(w.open) > same {
		w.buf = append(w.buf, '}')
		w.open = w.open[:len(w.open)-1]
		w.comma = true
	}
	for _, seg := range table[same:] {
		w.name(seg)
		w.buf = append(w.buf, '{')
		w.open = append(w.open, seg)
		w.comma = false
	}
	w.name(name)
	w.buf = append(w.buf, l.Value.json...)
	w.comma = true
}

func (w *jsonWriter) name(s string) {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.buf = appendString(w.buf, s)
	w.buf = append(w.buf, ':')
}

// appendString quotes s; segments are plain ASCII, so that quoting is all
// there is to do, but values pass here too.
func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // only invalid UTF-8, which no decoder of ours lets through
		panic("document: " + err.Error())
	}
	return out
}

// StringValue returns the value of a setting that is the string s.
func StringValue(s string) Value { return Value{string(appendString(nil, s))} }

// JSON returns p as one JSON object nested by segments, with null for
// what it unsets. A patch that unsets everything and sets nothing is null.
func (p Patch) JSON() []byte {
	if under(key.Key{}, p.Unset) && p.Set.Len() == 0 {
		return []byte("null")
	}
	var null []Leaf
	for _, k := range p.Unset {
		if !k.IsRoot() && !under(k.Parent(), p.Unset) { // else it goes with its table
			null = append(null, Leaf{k, Value{"null"}})
		}
	}
	// A leaf may be set again below an unset table; the table's null would
	// then stand beside members of it, which JSON cannot say.
	shown := Document{null}.Filter(func(k key.Key, _ Value) bool { return p.Set.Under(k).Len() == 0 })
	return shown.over(p.Set).JSON()
}
