package slots

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Repair returns the plan that mends what a power cut left: two names of one
// file, a program that lost its long name, two programs for one root. What it
// chooses depends on nothing but v, so a repair that is cut off is completed by
// the next.
func (v View) Repair() Plan {
	var p Plan
	gone := map[string]bool{}
	for i, a := range v.Entries {
		for _, b := range v.Entries[i+1:] {
			if a.Cluster == 0 || a.Cluster != b.Cluster || gone[a.File] || gone[b.File] {
				continue
			}
			lose := b
			if v.right(b, a) {
				lose = a
			}
			gone[lose.File] = true
			p = append(p, Unname{lose.File, "it is a second name of a file, left by a power cut"})
		}
	}
	left := slices.DeleteFunc(slices.Clone(v.Entries), func(e Entry) bool { return gone[e.File] })
	p = append(p, v.nameAgain(left)...)
	return append(p, v.separate(left)...)
}

// right reports whether a is the right one of two names of one file, where b is
// the other. A change remembers what it is about before it renames, and the
// loader only ever counts down.
func (v View) right(a, b Entry) bool {
	runs := a.Root == v.Boot.Root
	tried := v.Memory.Attempt != nil && v.Memory.Attempt.Root == a.Root
	switch {
	case a.Short != b.Short:
		return b.Short
	case a.Name.Staged != b.Name.Staged:
		return a.Name.Staged != (tried || runs)
	case a.Name.Counted != b.Name.Counted:
		good := slices.Contains(v.Memory.Good, a.Root) && !tried || runs && v.Memory.failure(a.Root) == nil
		return a.Name.Counted != good
	case a.Name.Left != b.Name.Left && tried && !runs && min(a.Name.Left, b.Name.Left) == 0:
		return a.Name.Left > 0 // it was being given tries again
	case a.Name.Left != b.Name.Left:
		return a.Name.Left < b.Name.Left
	}
	return a.Name.Done > b.Name.Done
}

// nameAgain gives programs that have only a short name one that says what they
// are. Nobody knows their tries any more: what was never healthy has one.
func (v View) nameAgain(entries []Entry) (p Plan) {
	for _, e := range entries {
		if !e.Short || e.Sort == "" || e.Root == "" {
			continue
		}
		n := Name{Version: e.Sort, Counted: true, Left: 1}
		if slices.Contains(v.Memory.Good, e.Root) || e.Root == v.Boot.Root {
			n = n.good()
		}
		if !slices.ContainsFunc(entries, func(o Entry) bool { return strings.EqualFold(o.File, n.String()) }) {
			p = append(p, Rename{e.File, n.String(), "it had lost its name"})
		}
	}
	return p
}

// separate takes from the loader all but one of the programs that start the same
// root: one would be marked good, and another used up.
func (v View) separate(entries []Entry) (p Plan) {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Root == "" || e.Name.Staged || e.Short })
	for i, a := range entries {
		keep := !slices.ContainsFunc(entries[i+1:], func(b Entry) bool { return b.Root == a.Root && v.better(b, a) }) &&
			!slices.ContainsFunc(entries[:i], func(b Entry) bool { return b.Root == a.Root && !v.better(a, b) })
		if keep {
			continue
		}
		p = append(p, Rename{a.File, fmt.Sprintf("%s.%d%s", a.File, a.Cluster, doubleSuffix), "another one starts the same root"})
	}
	return p
}

// better reports whether a is to be kept rather than b, which starts the same.
func (v View) better(a, b Entry) bool {
	if x, y := v.isStub(a), v.isStub(b); x != y {
		return x
	}
	return v.right(a, b)
}

// Begin returns the plan for the beginning of a boot: what was tried in vain is
// remembered, and where the loader did not count, that is made up for.
func (v View) Begin(now time.Time) Plan {
	run := v.running()
	if run == nil {
		return nil
	}
	p := v.giveUp(run, now)
	if p == nil {
		p = v.learn(run, now)
	}
	if n := run.Name; n.State() == Trial && n.Done == 0 {
		n.Left, n.Done = n.Left-1, 1
		p = append(p, Rename{run.File, n.String(), "the loader has started it without counting"})
	}
	return p
}

// giveUp returns what follows from an attempt of an earlier boot that did not
// come to run.
func (v View) giveUp(run *Entry, now time.Time) Plan {
	a := v.Memory.Attempt
	if a == nil || a.Root == run.Root || a.Boot == v.Boot.ID {
		return nil
	}
	m := v.Memory.clone()
	m.Attempt = nil
	i := slices.IndexFunc(v.Entries, func(e Entry) bool { return e.Root == a.Root && !e.Name.Staged })
	if i < 0 {
		return Plan{Remember{m, "version " + a.Version + " was not activated in full"}}
	}
	e := v.Entries[i]
	reason := a.Reason
	switch {
	case reason != "":
	case e.Name.Done > 0:
		reason = fmt.Sprintf("it was started %s and did not become healthy", times(e.Name.Done))
	case v.wins(e, v.Entries):
		reason = "it was not started: the firmware or the loader took another one"
	default: // a power cut came between two steps
		n := e.Name.staged()
		if slices.Contains(m.Good, e.Root) {
			n = e.Name.good()
		}
		return Plan{Rename{e.File, n.String(), "it was not activated in full"}, Remember{m, "version " + a.Version + " was not activated in full"}}
	}
	m.fail(Failure{Version: a.Version, Root: a.Root, Reason: reason, Time: now})
	p := Plan{Remember{m, "version " + a.Version + " has failed: " + reason}}
	if e.Name.State() == Trial {
		p = append(p, Rename{e.File, e.Name.setAside().String(), "it has failed"})
	}
	return p
}

// learn returns what follows from the names alone, where nothing is remembered of
// an attempt: what has used up its tries has failed.
func (v View) learn(run *Entry, now time.Time) Plan {
	if v.Memory.Attempt != nil {
		return nil
	}
	m := v.Memory.clone()
	var p Plan
	for _, e := range v.Entries {
		if e.Root == "" || e.Root == run.Root || e.Name.State() != Bad || e.Name.Done == 0 || m.failure(e.Root) != nil {
			continue
		}
		reason := fmt.Sprintf("it was started %s and did not become healthy", times(e.Name.Done))
		m.fail(Failure{Version: e.Name.Version, Root: e.Root, Reason: reason, Time: now})
		p = Plan{Remember{m, "version " + e.Name.Version + " has failed: " + reason}}
	}
	return p
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// GiveUp returns the plan by which a boot that did not become healthy says why,
// for the boot that takes over.
func (v View) GiveUp(reason string) Plan {
	run := v.running()
	if run == nil {
		return nil
	}
	m := v.Memory.clone()
	if m.Attempt == nil || m.Attempt.Root != run.Root {
		m.Attempt = &Attempt{Version: run.Name.Version, Root: run.Root, Boot: v.Boot.ID}
	}
	m.Attempt.Reason = reason
	return Plan{Remember{m, fmt.Sprintf("version %s is not healthy: %s", run.Name.Version, reason)}}
}

// CanFallBack reports whether what runs has to prove itself, and something else
// is there to take over: a reboot leads to that sooner or later.
func (v View) CanFallBack() bool {
	run := v.running()
	return run != nil && run.Name.Counted && slices.ContainsFunc(v.Entries, func(e Entry) bool {
		return e.Root != run.Root && v.slot(e) != nil && !e.Name.Staged && v.Memory.failure(e.Root) == nil
	})
}
