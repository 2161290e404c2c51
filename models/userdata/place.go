package userdata

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Place returns where the text says what path names, or the nearest table round
// it: the line and column, and the part whose lines these are when they are not
// those of the whole. The zero place means that the text does not say.
func (t *Text) Place(path string) (source string, at syntax.Pos) {
	n := t.Settings
	at, source = n.Pos, t.origins[n]
	for _, step := range steps(path) {
		var ok bool
		var pos syntax.Pos
		if n, pos, ok = t.follow(n, step); !ok {
			break
		}
		if pos.Line > 0 {
			at, source = pos, t.origins[n]
		}
	}
	return source, at
}

// source names the part that the fault at path is about.
func (t *Text) source(path string) string {
	if len(t.origins) == 0 { // all positions are of the whole
		return ""
	}
	source, _ := t.Place(path)
	return source
}

// follow goes from n to the member, or the item of a list, that step names.
func (t *Text) follow(n *syntax.Node, step string) (*syntax.Node, syntax.Pos, bool) {
	if i, err := strconv.Atoi(strings.Trim(step, "[]")); step[0] == '[' && err == nil {
		if n.Kind != syntax.Array || i < 0 || i >= len(n.Items) {
			return n, syntax.Pos{}, false
		}
		return n.Items[i], n.Items[i].Pos, true
	}
	i := t.index(n, step)
	if i < 0 {
		return n, syntax.Pos{}, false
	}
	return n.Fields[i].Value, n.Fields[i].Pos, true
}

// index returns where in the table n the member called name is, or -1. A text
// full of faults asks as often as a table has members.
func (t *Text) index(n *syntax.Node, name string) int {
	at := t.indexes[n]
	if len(at) != len(n.Fields) {
		at = indexOf(n)
		if t.indexes == nil { // of a Text that others have made
			t.indexes = map[*syntax.Node]map[string]int{}
		}
		t.indexes[n] = at
	}
	if i, ok := at[name]; ok && n.Fields[i].Name == name {
		return i
	}
	// Members may have been taken out and others put in.
	return slices.IndexFunc(n.Fields, func(f syntax.Field) bool { return f.Name == name })
}

func indexOf(n *syntax.Node) map[string]int {
	at := make(map[string]int, len(n.Fields))
	for i, f := range n.Fields {
		at[f.Name] = i
	}
	return at
}

// steps splits the path of a fault, as in settings.a."b.c"[0].d, without its
// root. Items of lists keep their brackets.
func steps(path string) []string {
	var out []string
	rest := path
	for rest != "" {
		var step string
		switch rest[0] {
		case '.':
			rest = rest[1:]
			continue
		case '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return out
			}
			rest = rest[len(quoted):]
			step, _ = strconv.Unquote(quoted)
		case '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return out
			}
			step, rest = rest[:end+1], rest[end+1:]
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			step, rest = rest[:end], rest[end:]
		}
		if step == "" {
			return out
		}
		if len(out) == 0 && step == key.Root && strings.HasPrefix(path, key.Root) {
			path = "" // only the first is the root
			continue
		}
		out = append(out, step)
	}
	return out
}

// withoutIndex returns the setting that the path of a fault is about, without
// what it says about items of lists.
func withoutIndex(path string) string {
	name, _, _ := strings.Cut(path, "[")
	return name
}

// shift moves everything in n down by lines.
func shift(n *syntax.Node, lines int) {
	if n.Pos.Line > 0 {
		n.Pos.Line += lines
	}
	for _, item := range n.Items {
		shift(item, lines)
	}
	for i := range n.Fields {
		if n.Fields[i].Pos.Line > 0 {
			n.Fields[i].Pos.Line += lines
		}
		shift(n.Fields[i].Value, lines)
	}
}

// lay puts what top sets over what n sets. Tables are joined, all else is
// replaced.
func lay(n, top *syntax.Node) {
	at := indexOf(n)
	for _, f := range top.Fields {
		i, there := at[f.Name]
		switch {
		case !there:
			at[f.Name] = len(n.Fields)
			n.Fields = append(n.Fields, f)
		case n.Fields[i].Value.Kind == syntax.Table && f.Value.Kind == syntax.Table:
			lay(n.Fields[i].Value, f.Value)
		default:
			n.Fields[i] = f
		}
	}
}

// mark says that the positions in n are those of the part called source.
func (t *Text) mark(n *syntax.Node, source string) {
	t.origins[n] = source
	for _, item := range n.Items {
		t.mark(item, source)
	}
	for _, f := range n.Fields {
		t.mark(f.Value, source)
	}
}
