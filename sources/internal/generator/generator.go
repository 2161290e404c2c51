// Package generator finds values for settings that nobody has set.
//
// A generator declares which settings and which facts about the node it goes by,
// which settings it gives values to, and how long those last. It is run only
// while all that it needs is there and what it gives is not set otherwise. Its
// values go into the generated layer, so that what somebody sets counts more,
// and unsetting that brings them back.
package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Strength says how long a generated value lasts.
type Strength string

// The strengths.
const (
	Strong Strength = "strong" // for good: it is found once in the life of a node
	Weak   Strength = "weak"   // until the version changes; it is found again at each boot
)

// A Stage is a point of the boot.
type Stage string

// The stages, in their order.
const (
	Start   Stage = "start"   // before user data is taken, which may count on the values
	Boot    Stage = "boot"    // when the settings are known, before anything is applied
	Network Stage = "network" // when the node can reach others
)

// Stages returns all stages.
func Stages() []Stage { return []Stage{Start, Boot, Network} }

// A Fact is the name of something that is known of a node.
type Fact string

// ErrUnknown says that a fact is not known. Generators that need it are passed
// over, which is no fault.
var ErrUnknown = errors.New("not known")

// Facts knows a node. Settings are those that are in effect, since some facts
// are found by them.
type Facts interface {
	Fact(ctx context.Context, name Fact, settings Settings) (string, error)
}

// Settings are the settings in effect that a generator, or a source of facts,
// may look at. Secrets are hidden in them.
type Settings struct{ doc document.Document }

// SettingsOf returns doc for generators.
func SettingsOf(doc document.Document) Settings { return Settings{doc} }

// Has reports whether the setting, or one below it, is set.
func (s Settings) Has(k key.Key) bool { return s.doc.Under(k).Len() > 0 }

// Texts returns the setting called name, as in "aws.region", if it is set to a
// text or to a list of texts.
func (s Settings) Texts(name string) []string {
	v, ok := s.doc.Get(parse(name))
	if !ok {
		return nil
	}
	var one string
	if json.Unmarshal([]byte(v.JSON()), &one) == nil {
		return []string{one}
	}
	var list []string
	if json.Unmarshal([]byte(v.JSON()), &list) != nil {
		return nil
	}
	return list
}

// Text returns the first of Texts, or "".
func (s Settings) Text(name string) string {
	if list := s.Texts(name); len(list) > 0 {
		return list[0]
	}
	return ""
}

// parse returns the key that is written in a program.
func parse(name string) key.Key {
	k, err := key.Parse(name)
	if err != nil {
		panic(fmt.Sprintf("generator: setting %q: %v", name, err))
	}
	return k
}

// A Generator finds values for settings.
type Generator struct {
	Name     string
	Summary  string // what it finds, in a few words
	Stage    Stage
	Strength Strength

	Outputs  []string // settings that it gives values to
	Settings []string // that it needs
	Facts    []Fact   // that it needs
	// What it goes by where that is there.
	OptionalSettings []string
	OptionalFacts    []Fact

	// Find returns the values, by the names in Outputs. It sees what is declared,
	// and does nothing but compute.
	Find func(in Input) (map[string]any, error)
}

// Input is what a generator goes by.
type Input struct {
	gen      *Generator
	settings Settings
	facts    map[Fact]string
}

// Setting returns a setting that the generator has declared, as text.
func (in Input) Setting(name string) string {
	if !slices.Contains(in.gen.Settings, name) && !slices.Contains(in.gen.OptionalSettings, name) {
		panic(fmt.Sprintf("generator %s looks at setting %q, which it does not declare", in.gen.Name, name))
	}
	return in.settings.Text(name)
}

// Fact returns a fact that the generator has declared, or "".
func (in Input) Fact(name Fact) string {
	if !slices.Contains(in.gen.Facts, name) && !slices.Contains(in.gen.OptionalFacts, name) {
		panic(fmt.Sprintf("generator %s looks at fact %q, which it does not declare", in.gen.Name, name))
	}
	return in.facts[name]
}

// find runs g, and checks what it returns against what it declares.
func (g *Generator) find(in Input) ([]document.Leaf, error) {
	found, err := g.Find(in)
	if err != nil {
		return nil, err
	}
	var out []document.Leaf
	for _, name := range g.Outputs {
		v, ok := found[name]
		delete(found, name)
		if !ok {
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("value for %s: %w", name, err)
		}
		out = append(out, document.Leaf{Key: parse(name), Value: document.NewValue(string(text))})
	}
	for name := range found {
		panic(fmt.Sprintf("generator %s gives a value to %q, which it does not declare", g.Name, name))
	}
	return out, nil
}
