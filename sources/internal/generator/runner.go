package generator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// factLimit is how long one fact may take to be found.
const factLimit = 5 * time.Minute

// An API is what a runner asks of the settings API.
type API interface {
	Origins(ctx context.Context, q client.Query) (map[string]client.Origin, error)
	Generate(ctx context.Context, g client.GeneratedValues) error
}

// A Runner runs generators on a node.
type Runner struct {
	API    API
	Facts  Facts
	Schema *schema.Schema // of the node's variant
	// List has the generators. Where two give values to the same setting, the
	// later one counts more.
	List []Generator
}

// An Outcome is what became of a generator.
type Outcome struct {
	Generator *Generator
	Passed    string          // why it was not run; empty if it was
	Settings  []document.Leaf // that it went by
	Facts     map[Fact]string // that it went by
	Values    []document.Leaf // that it found
	Changed   bool            // they differ from those that were there
	Err       error           // that it ended with
	// InForce has those of its settings that had a value before.
	InForce map[key.Key]client.Origin
}

// A view is the settings as a runner finds them.
type view struct {
	settings Settings
	origins  map[key.Key]client.Origin
}

func (r *Runner) look(ctx context.Context) (view, error) {
	origins, err := r.API.Origins(ctx, client.Query{})
	if err != nil {
		return view{}, fmt.Errorf("read settings for generators: %w", err)
	}
	v := view{origins: map[key.Key]client.Origin{}}
	var leaves []document.Leaf
	for name, o := range origins {
		k, err := key.Parse(name)
		if err != nil {
			return view{}, fmt.Errorf("read settings for generators: %w", err)
		}
		v.origins[k] = o
		leaves = append(leaves, document.Leaf{Key: k, Value: document.NewValue(string(o.Value))})
	}
	v.settings = SettingsOf(document.Of(leaves...))
	return v, nil
}

// Run runs the generators of a stage and stores what they find. The error says
// that the settings cannot be read; what becomes of each generator is its
// outcome.
func (r *Runner) Run(ctx context.Context, stage Stage) ([]Outcome, error) {
	return r.each(ctx, func(g *Generator) bool { return g.Stage == stage }, true)
}

// Explain runs the generators that are named, whether or not their values are
// set otherwise, and stores nothing.
func (r *Runner) Explain(ctx context.Context, names ...string) ([]Outcome, error) {
	return r.each(ctx, func(g *Generator) bool { return slices.Contains(names, g.Name) }, false)
}

func (r *Runner) each(ctx context.Context, wanted func(*Generator) bool, store bool) ([]Outcome, error) {
	var list []*Generator
	for i := range r.List {
		if g := &r.List[i]; wanted(g) && r.has(g) {
			list = append(list, g)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	v, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	var out []Outcome
	for _, g := range list {
		o := r.one(ctx, g, v, store)
		// Later ones may go by what was found.
		if store && o.Changed && o.Err == nil {
			if v, err = r.look(ctx); err != nil {
				return append(out, o), err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// has reports whether the variant has the settings that g gives values to.
func (r *Runner) has(g *Generator) bool {
	return !slices.ContainsFunc(g.Outputs, func(name string) bool {
		_, ok := r.Schema.Lookup(parse(name))
		return !ok
	})
}

// one runs g.
func (r *Runner) one(ctx context.Context, g *Generator, v view, store bool) Outcome {
	o := Outcome{Generator: g, Facts: map[Fact]string{}, InForce: map[key.Key]client.Origin{}}
	for _, name := range g.Outputs {
		if origin, ok := v.origins[parse(name)]; ok {
			o.InForce[parse(name)] = origin
		}
	}
	open := r.open(g, v)
	if len(open) == 0 && store {
		o.Passed = "what it finds is set"
		return o
	}
	o.Passed, o.Err = r.gather(ctx, g, v, &o)
	if o.Passed != "" || o.Err != nil {
		return o
	}
	o.Values, o.Err = g.find(Input{gen: g, settings: v.settings, facts: o.Facts})
	if errors.Is(o.Err, ErrUnknown) {
		o.Passed, o.Err = o.Err.Error(), nil
	}
	if o.Err != nil || !store {
		return o
	}
	var news []document.Leaf
	for _, leaf := range o.Values {
		old, there := v.origins[leaf.Key]
		same := there && string(old.Value) == leaf.Value.JSON() && old.Generator == g.Name
		if slices.Contains(open, leaf.Key) && !same {
			news = append(news, leaf)
		}
	}
	if len(news) == 0 {
		return o
	}
	o.Changed = true
	o.Err = r.API.Generate(ctx, client.GeneratedValues{Generator: g.Name, Strength: string(g.Strength), Values: document.Of(news...)})
	return o
}

// open returns the settings that g may give a value to: those that have none,
// or a weak one of its own or of a generator before it.
func (r *Runner) open(g *Generator, v view) []key.Key {
	rank := func(name string) int {
		return slices.IndexFunc(r.List, func(o Generator) bool { return o.Name == name })
	}
	var out []key.Key
	for _, name := range g.Outputs {
		k, free := parse(name), true
		for at, o := range v.origins {
			if !at.Under(k) {
				continue
			}
			weak := o.Layer == client.Generated && o.Strength == string(Weak)
			free = free && weak && rank(o.Generator) <= rank(g.Name)
		}
		if free {
			out = append(out, k)
		}
	}
	return out
}

// gather finds what g goes by. It returns why g cannot be run, if something is
// missing.
func (r *Runner) gather(ctx context.Context, g *Generator, v view, o *Outcome) (missing string, err error) {
	for _, name := range append(slices.Clone(g.Settings), g.OptionalSettings...) {
		k := parse(name)
		for at, origin := range v.origins {
			if at.Under(k) {
				o.Settings = append(o.Settings, document.Leaf{Key: at, Value: document.NewValue(string(origin.Value))})
			}
		}
		if !v.settings.Has(k) && slices.Contains(g.Settings, name) {
			return k.String() + " is not set", nil
		}
	}
	slices.SortFunc(o.Settings, func(a, b document.Leaf) int { return a.Key.Compare(b.Key) })
	for _, name := range append(slices.Clone(g.Facts), g.OptionalFacts...) {
		text, err := r.fact(ctx, name, v.settings)
		needed := slices.Contains(g.Facts, name)
		switch {
		case err == nil:
			o.Facts[name] = text
		case !needed: // it does without, whatever the reason
		case errors.Is(err, ErrUnknown):
			return fmt.Sprintf("%s is not known", name), nil
		default:
			return "", fmt.Errorf("find %s: %w", name, err)
		}
	}
	return "", nil
}

func (r *Runner) fact(ctx context.Context, name Fact, s Settings) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, factLimit)
	defer cancel()
	return r.Facts.Fact(ctx, name, s)
}
