package cli

import (
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A section is one of the two things that get shows.
type section string

const (
	inSettings section = "settings"
	inOS       section = "os"
)

// A selection is what one argument of get names: everything in a section whose
// key text begins with prefix.
type selection struct {
	section section
	prefix  string // "settings." or "os." and what must follow
}

// parseSelection reads arg. The beginning of a section's name stands for the
// whole section; a name without a section is one of a setting.
func parseSelection(arg string) (selection, error) {
	if arg == "" {
		return selection{}, usage("a prefix is empty, want a name such as settings.motd")
	}
	for _, s := range []section{inSettings, inOS} {
		root := string(s) + "."
		if strings.HasPrefix(root, arg) {
			return selection{s, root}, nil
		}
		if s == inOS && strings.HasPrefix(arg, root) {
			return selection{s, arg}, nil
		}
	}
	return selection{inSettings, settingPrefix(arg)}, nil
}

// settingPrefix gives arg the form that the texts of keys have. What is not a
// key may still begin one.
func settingPrefix(arg string) string {
	if k, err := key.Parse(arg); err == nil && strings.Contains(arg, `"`) {
		return k.String()
	}
	root := key.Root + "."
	return root + strings.TrimPrefix(arg, root)
}

// all reports whether s is the whole section.
func (s selection) all() bool { return s.prefix == string(s.section)+"." }

// matches reports whether the key text is selected.
func (s selection) matches(text string) bool { return strings.HasPrefix(text, s.prefix) }

// without removes what the selections name from settings and facts.
func without(doc document.Document, facts map[string]any, exclude []selection) document.Document {
	for _, s := range exclude {
		if s.section == inSettings {
			doc = doc.Filter(func(k key.Key, _ document.Value) bool { return !s.matches(k.String()) })
			continue
		}
		for name := range facts {
			if s.matches("os." + name) {
				delete(facts, name)
			}
		}
	}
	return doc
}
