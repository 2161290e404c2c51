package render

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
	types "github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// A misfit is a text that cannot stand where a template wants it.
type misfit struct{ text, detail string }

func (e *misfit) Error() string { return e.detail }

// unfit returns a misfit. The first %s of format is the text in short, and args
// are for what follows.
func unfit(text, format string, args ...any) error {
	return &misfit{text, fmt.Sprintf(format, append([]any{short(text)}, args...)...)}
}

// blame names the setting that a misfit comes from in f, and hides the text
// when it is secret. Among reads, which the file depends on, one that holds
// just the text goes before one that has it as a part, or is a part of it.
func (s *Settings) blame(f *plan.Fault, err error, reads []key.Key) {
	e, ok := errors.AsType[*misfit](err)
	if !ok || f.Setting != "" {
		return
	}
	same := func(text string) bool { return text == e.text }
	part := func(text string) bool {
		return text != "" && (strings.Contains(e.text, text) || strings.Contains(text, e.text))
	}
	for _, is := range []func(string) bool{same, part} {
		for _, k := range reads {
			k, ok := s.culprit(s.schema.Canonical(k), is)
			if !ok {
				continue
			}
			f.Setting = k.String()
			if n, ok := s.schema.Lookup(k); ok && n.Kind == schema.Leaf && n.HoldsSecrets() {
				f.Detail = strings.ReplaceAll(f.Detail, short(e.text), types.Redacted)
			}
			return
		}
	}
}

// culprit returns the setting at k, above it or below that has a text with is, or
// is the entry whose name is one.
func (s *Settings) culprit(k key.Key, is func(string) bool) (key.Key, bool) {
	table := key.Key{}
	for name := range k.Segments() {
		entry := table.Child(name)
		if n, ok := s.schema.Lookup(table); ok && (n.Kind == schema.Map || n.Rest != nil && !isFixed(n, name)) && is(name) {
			return entry, true
		}
		table = entry
	}
	v, _ := s.get(k)
	return s.find(k, v, is)
}

// find returns the setting at k or below, where v is, that holds a text with
// is, or the entry whose name is one.
func (s *Settings) find(k key.Key, v any, is func(string) bool) (key.Key, bool) {
	if n, ok := s.schema.Lookup(k); ok && n.Kind != schema.Leaf {
		table, _ := v.(map[string]any)
		for _, name := range names(table) {
			if entry := k.Child(name); is(name) && (n.Kind == schema.Map || !isFixed(n, name)) {
				return entry, true
			} else if found, ok := s.find(entry, table[name], is); ok {
				return found, true
			}
		}
		return key.Key{}, false
	}
	return k, holds(v, is)
}

// holds reports whether v is a text with is, or has one in it.
func holds(v any, is func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return is(v)
	case []any:
		for _, item := range v {
			if holds(item, is) {
				return true
			}
		}
	case map[string]any:
		for name, member := range v {
			if is(name) || holds(member, is) {
				return true
			}
		}
	}
	return false
}
