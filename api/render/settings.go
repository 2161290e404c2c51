package render

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Settings are effective settings as templates see them: text, bool, int64,
// float64, lists as []any and tables as map[string]any. They may be shared
// between goroutines.
type Settings struct {
	schema *schema.Schema
	root   map[string]any
	paths  map[uintptr]string // where each table stands, for errors
}

// NewSettings returns the settings in effective, which s has accepted.
func NewSettings(s *schema.Schema, effective document.Document) (*Settings, error) {
	out := &Settings{schema: s, root: map[string]any{}, paths: map[uintptr]string{}}
	for k, v := range effective.All() {
		node, rep := syntax.JSON([]byte(v.JSON()), syntax.DefaultLimits)
		if err := rep.Err(); err != nil {
			return nil, fmt.Errorf("read value of %s: %w", k, err)
		}
		val, err := plain(node)
		if err != nil {
			return nil, fmt.Errorf("read value of %s: %w", k, err)
		}
		if err := out.put(k, val); err != nil {
			return nil, err
		}
	}
	out.register(key.Root, out.root)
	return out, nil
}

// plain returns n as an ordinary value.
func plain(n *syntax.Node) (any, error) {
	switch n.Kind {
	case syntax.Bool:
		return n.Text == "true", nil
	case syntax.Integer:
		v, ok := n.Int()
		if !ok {
			return nil, fmt.Errorf("number %s is out of range", n.Text)
		}
		return v, nil
	case syntax.Float:
		return strconv.ParseFloat(n.Text, 64)
	case syntax.String:
		return n.Text, nil
	case syntax.Array:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			v, err := plain(item)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case syntax.Table:
		table := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			v, err := plain(f.Value)
			if err != nil {
				return nil, err
			}
			table[f.Name] = v
		}
		return table, nil
	}
	return nil, fmt.Errorf("%s is no setting", n.Kind)
}

func (s *Settings) put(k key.Key, v any) error {
	table := s.root
	for seg := range k.Parent().Segments() {
		sub, exists := table[seg]
		if !exists {
			sub = map[string]any{}
			table[seg] = sub
		}
		next, ok := sub.(map[string]any)
		if !ok {
			return fmt.Errorf("settings have both %s and a part of it", k.Parent())
		}
		table = next
	}
	table[k.Last()] = v
	return nil
}

// register notes where the tables in v stand. Maps are told apart by their
// address, which holds as long as s does.
func (s *Settings) register(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		s.paths[reflect.ValueOf(v).Pointer()] = path
		for name, member := range v {
			s.register(memberPath(path, name), member)
		}
	case []any:
		for i, item := range v {
			s.register(fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
}

func memberPath(path, name string) string {
	if key.ValidSegment(name) != nil {
		return path + "." + strconv.Quote(name)
	}
	return path + key.Of(name).String()[len(key.Root):]
}

// path returns where the table m stands, or "".
func (s *Settings) path(m map[string]any) string {
	return s.paths[reflect.ValueOf(m).Pointer()]
}

// get returns what is set at k, if anything is.
func (s *Settings) get(k key.Key) (any, bool) {
	var v any = s.root
	for seg := range k.Segments() {
		table, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = table[seg]; !ok {
			return nil, false
		}
	}
	return v, true
}

// A notSet is a setting that a template needs and that is not set, or that the
// variant does not have.
type notSet struct {
	path   string
	reason string
}

func (e *notSet) Error() string { return "needs " + e.path + ", which " + e.reason }

func (s *Settings) setting(text string) (any, error) {
	k, err := s.key(text)
	if err != nil {
		return nil, err
	}
	if v, ok := s.get(k); ok {
		return v, nil
	}
	n, ok := s.schema.Lookup(k)
	switch {
	case !ok:
		return nil, &notSet{k.String(), "this variant does not have"}
	case n.Kind != schema.Leaf:
		return map[string]any{}, nil
	}
	return nil, &notSet{k.String(), "is not set"}
}

func (s *Settings) optional(text string) (any, error) {
	k, err := s.key(text)
	if err != nil {
		return nil, err
	}
	v, _ := s.get(k)
	return v, nil
}

func (s *Settings) have(text string) (bool, error) {
	k, err := s.key(text)
	if err != nil {
		return false, err
	}
	_, ok := s.get(k)
	return ok, nil
}

func (s *Settings) key(text string) (key.Key, error) {
	k, err := key.Parse(text)
	if err != nil {
		return key.Key{}, err
	}
	return s.schema.Canonical(k), nil
}

func (s *Settings) member(table any, name string) (any, error) {
	v, err := optionalMember(table, name)
	if v == nil && err == nil {
		m, _ := table.(map[string]any)
		path := s.path(m)
		if path == "" {
			return nil, fmt.Errorf("the table has no member %q", name)
		}
		return nil, &notSet{memberPath(path, name), "is not set"}
	}
	return v, err
}

func optionalMember(table any, name string) (any, error) {
	m, ok := table.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("want a table to take %q from, got %s", name, describe(table))
	}
	return m[name], nil
}

// isSomething reports whether v is set to something other than false, 0 and
// what is empty.
func isSomething(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}
