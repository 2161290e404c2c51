// Package syntax reads JSON and TOML text into one tree of nodes that know
// where they stand in the text.
//
// It finds the faults of the text itself (malformed, a key given twice, not
// UTF-8, a NUL byte, too deep, too long) and knows nothing of settings.
package syntax

import "strconv"

// A Kind is the type of a node's value.
type Kind uint8

// The kinds of JSON and TOML values together.
const (
	Null Kind = iota
	Bool
	Integer // written without fraction and exponent
	Float
	String
	Datetime // TOML only; no setting is one
	Array
	Table
)

var kindNames = [...]string{"null", "a boolean", "an integer", "a number with a fraction", "a string", "a date or time", "a list", "a table"}

// String names k with its article, as used in "want a string, got a table".
func (k Kind) String() string { return kindNames[k] }

// A Pos is a place in a text. The zero Pos stands for "not from a text".
type Pos struct {
	Line   int // from 1
	Column int // from 1, in bytes
}

// A Node is one value of a document.
type Node struct {
	Kind   Kind
	Text   string  // String: the value; Integer, Float, Datetime: as written; Bool: "true" or "false"
	Items  []*Node // Array
	Fields []Field // Table, in the order of the text; names are unique
	Pos    Pos
}

// A Field is one member of a table.
type Field struct {
	Name  string
	Pos   Pos // of the name
	Value *Node
}

// Field returns the value of the member called name, or nil.
func (n *Node) Field(name string) *Node {
	for _, f := range n.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Int returns the value of an Integer node; ok is false for other kinds and
// for values outside the 64-bit range.
func (n *Node) Int() (v int64, ok bool) {
	if n.Kind != Integer {
		return 0, false
	}
	v, err := strconv.ParseInt(n.Text, 10, 64)
	return v, err == nil
}

// NewString returns a String node without position.
func NewString(s string) *Node { return &Node{Kind: String, Text: s} }

// NewTable returns a Table node with the given fields.
func NewTable(fields ...Field) *Node { return &Node{Kind: Table, Fields: fields} }

// NewArray returns an Array node with the given items.
func NewArray(items ...*Node) *Node { return &Node{Kind: Array, Items: items} }

// Describe says what n is, shortened, for an error: `"x"`, `42`, `a table`.
func (n *Node) Describe() string {
	switch n.Kind {
	case String:
		return strconv.Quote(shorten(n.Text))
	case Integer, Float, Datetime, Bool:
		return shorten(n.Text)
	}
	return n.Kind.String()
}

// shorten keeps errors readable: a value of megabytes helps nobody.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return s[:cut] + "…"
}
