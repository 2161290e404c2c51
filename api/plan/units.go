package plan

import (
	"slices"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// declarations are the units of the packages by the name of their declaration.
func declarations(packages []*recipe.Package) map[string]recipe.Unit {
	out := map[string]recipe.Unit{}
	for _, p := range packages {
		for _, u := range p.Units {
			out[u.Name] = u
		}
	}
	return out
}

// unitActions returns what to do with units, in an order that satisfies After:
// what stops first, then the others.
func unitActions(c comparison, in Input) []UnitAction {
	declared := declarations(in.Packages)
	reasons := map[string][]change{}
	for _, ch := range c.changes {
		for _, u := range ch.Units {
			reasons[u] = append(reasons[u], ch)
		}
	}
	todo := map[string]UnitAction{}
	for name, why := range reasons {
		unit, ok := declared[recipe.Declaration(name)]
		if !ok {
			continue // of a package that this image does not have
		}
		verb := verbFor(unit, why, len(c.before[name]) > 0, len(c.after[name]) > 0)
		if verb != "" {
			todo[name] = UnitAction{Name: name, Action: verb, Because: paths(why, verb), Starts: verb == Reload && starts(why)}
		}
	}
	return order(todo, declared)
}

// verbFor returns what follows for a unit from the changes of its files, or "".
// Before and after say whether it had files and whether it will have some.
func verbFor(unit recipe.Unit, why []change, before, after bool) Verb {
	content := slices.ContainsFunc(why, func(ch change) bool { return ch.Action != Chmod })
	switch {
	case unit.WithFiles && !after:
		return Stop
	case unit.WithFiles && !before && content:
		return Start
	}
	var verb Verb
	for _, ch := range why {
		switch ch.onChange {
		case recipe.Restart:
			return Restart
		case recipe.Reload, recipe.ReloadOrStart:
			verb = Reload
		}
	}
	return verb
}

// starts reports whether one of the changes is for a unit that need not run yet.
func starts(why []change) bool {
	return slices.ContainsFunc(why, func(ch change) bool { return ch.onChange == recipe.ReloadOrStart })
}

// paths returns the files that verb comes from.
func paths(why []change, verb Verb) []string {
	var out []string
	for _, ch := range why {
		switch ch.onChange {
		case recipe.Restart, recipe.Reload, recipe.ReloadOrStart:
			out = append(out, ch.Path)
		default:
			if verb == Start || verb == Stop {
				out = append(out, ch.Path)
			}
		}
	}
	return out
}

// order sorts the actions. Units that stop do so before anything starts, the
// ones that wait for others first; the rest follow their declarations. Among
// equals the name decides, so the order is always the same.
func order(todo map[string]UnitAction, declared map[string]recipe.Unit) []UnitAction {
	stops, others := map[string][]string{}, map[string][]string{}
	for name, a := range todo {
		if a.Action == Stop {
			stops[name] = nil
		} else {
			others[name] = nil
		}
	}
	for name := range todo {
		for _, first := range before(name, todo, declared) {
			switch {
			case todo[name].Action == Stop && todo[first].Action == Stop:
				stops[first] = append(stops[first], name)
			case todo[name].Action != Stop && todo[first].Action != Stop:
				others[name] = append(others[name], first)
			}
		}
	}
	var out []UnitAction
	for _, after := range []map[string][]string{stops, others} {
		for _, name := range sorted(after) {
			a := todo[name]
			slices.Sort(after[name])
			a.After = after[name]
			out = append(out, a)
		}
	}
	return out
}

// before returns the units in todo that the unit called name comes after, also
// by way of units that have nothing to do.
func before(name string, todo map[string]UnitAction, declared map[string]recipe.Unit) []string {
	instances := map[string][]string{}
	for n := range todo {
		d := recipe.Declaration(n)
		instances[d] = append(instances[d], n)
	}
	own := recipe.Declaration(name)
	seen := map[string]bool{own: true}
	var out []string
	var follow func(declaration string)
	follow = func(declaration string) {
		for _, first := range declared[declaration].After {
			d := recipe.Declaration(first)
			if seen[d] {
				continue
			}
			seen[d] = true
			out = append(out, instances[d]...)
			follow(d)
		}
	}
	follow(own)
	return out
}

// sorted returns the keys of after so that each stands behind what it comes
// after. Circles, which recipe.Check refuses, are cut at the least name.
func sorted(after map[string][]string) []string {
	var out []string
	left := map[string]bool{}
	for name := range after {
		left[name] = true
	}
	ready := func(name string) bool {
		return !slices.ContainsFunc(after[name], func(first string) bool { return left[first] })
	}
	for len(left) > 0 {
		var names, free []string
		for name := range left {
			names = append(names, name)
			if ready(name) {
				free = append(free, name)
			}
		}
		if len(free) == 0 {
			free = names
		}
		next := slices.Min(free)
		delete(left, next)
		out = append(out, next)
	}
	return out
}

// actions returns the programs that changes ask for, in the order in which
// packages declare them.
func actions(changes []change, packages []*recipe.Package) []Action {
	var out []Action
	for _, p := range packages {
		for _, a := range p.Actions {
			var because []string
			for _, ch := range changes {
				if ch.pkg == p.Name && ch.onChange.Action() == a.Name {
					because = append(because, ch.Path)
				}
			}
			if because != nil {
				out = append(out, Action{Package: p.Name, Name: a.Name, Exec: a.Exec, Because: because})
			}
		}
	}
	return out
}
