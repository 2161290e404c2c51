package document

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// ParseTOML reads what TOML wrote. It knows no schema: every table is an inner
// one and every other value a leaf as it stands. Text from outside is read by
// package schema instead.
func ParseTOML(data []byte) (Document, error) {
	root, rep := syntax.TOML(data, syntax.Limits{Bytes: 64 << 20, Depth: 64, String: 16 << 20})
	if err := rep.Err(); err != nil {
		return Document{}, fmt.Errorf("parse settings: %w", err)
	}
	settings := root.Field(key.Root)
	if len(root.Fields) > 1 || settings == nil && len(root.Fields) > 0 {
		return Document{}, fmt.Errorf("parse settings: want one table %q and nothing beside it", key.Root)
	}
	if settings == nil {
		return Document{}, nil
	}
	return FromNode(settings)
}

// FromNode returns the leaves of n, the content of "settings".
func FromNode(n *syntax.Node) (Document, error) {
	if n.Kind != syntax.Table {
		return Document{}, fmt.Errorf("settings are %s, want a table", n.Kind)
	}
	var leaves []Leaf
	if err := collect(n, key.Key{}, &leaves); err != nil {
		return Document{}, err
	}
	return Of(leaves...), nil
}

func collect(n *syntax.Node, at key.Key, leaves *[]Leaf) error {
	for _, f := range n.Fields {
		if err := key.ValidSegment(f.Name); err != nil {
			return fmt.Errorf("key %q below %s %w", f.Name, at, err)
		}
		k := at.Child(f.Name)
		if f.Value.Kind == syntax.Table {
			if err := collect(f.Value, k, leaves); err != nil {
				return err
			}
			continue
		}
		*leaves = append(*leaves, Leaf{k, Value{string(NodeJSON(nil, f.Value))}})
	}
	return nil
}

// NodeJSON appends n to dst as compact JSON, members in the order they have.
func NodeJSON(dst []byte, n *syntax.Node) []byte {
	switch n.Kind {
	case syntax.Null:
		return append(dst, "null"...)
	case syntax.String, syntax.Datetime:
		return appendString(dst, n.Text)
	case syntax.Array:
		dst = append(dst, '[')
		for i, it := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = NodeJSON(dst, it)
		}
		return append(dst, ']')
	case syntax.Table:
		dst = append(dst, '{')
		for i, f := range n.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, f.Name), ':')
			dst = NodeJSON(dst, f.Value)
		}
		return append(dst, '}')
	case syntax.Float:
		return appendFloat(dst, n.Text)
	}
	return append(dst, n.Text...)
}

// appendFloat writes a number so that it reads back as the same one: TOML has
// forms that JSON lacks.
func appendFloat(dst []byte, text string) []byte {
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil {
		return appendString(dst, text)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
