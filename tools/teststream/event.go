// Package teststream reads what go test -json tells while tests run.
//
// It counts tests the way a person would: a test with subtests counts as its
// subtests, a package that cannot be built or dies outside its tests counts as
// one failed test, and a test that was running when its process ended has
// failed.
package teststream

import "strings"

// An event is one line of go test -json. The documentation of cmd/test2json and
// go help buildjson describe the fields.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build event
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string // the ImportPath whose build failure kept the package from running
}

type outcome int

const (
	unfinished outcome = iota
	passed
	failed
	skipped
)

type test struct {
	name        string
	outcome     outcome
	hasChildren bool
	childFailed bool
	output      []string
}

type pkg struct {
	path        string
	tests       map[string]*test
	order       []*test
	output      []string // what belongs to no test
	failedBuild string
}

func newPkg(path string) *pkg { return &pkg{path: path, tests: map[string]*test{}} }

// test returns the test called name, which is added when it is new.
func (p *pkg) test(name string) *test {
	t := p.tests[name]
	if t != nil {
		return t
	}
	t = &test{name: name}
	p.tests[name] = t
	p.order = append(p.order, t)
	if parent := p.parent(t); parent != nil {
		parent.hasChildren = true
	}
	return t
}

// parent returns the test that started t, or nil. The name of a subtest may
// itself hold slashes, so the longest known prefix is the parent.
func (p *pkg) parent(t *test) *test {
	name := t.name
	for {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil
		}
		name = name[:i]
		if parent := p.tests[name]; parent != nil {
			return parent
		}
	}
}

// add enters an event of a package that is running.
func (p *pkg) add(e event) {
	if e.Test == "" {
		if e.Action == "output" {
			p.output = append(p.output, e.Output)
		}
		return
	}
	t := p.test(e.Test)
	switch e.Action {
	case "output":
		if !framing(e.Output) {
			t.output = append(t.output, e.Output)
		}
	case "pass":
		t.outcome = passed
		t.output = nil // nobody asks for it, and it may be much
	case "skip":
		t.outcome = skipped
	case "fail":
		t.outcome = failed
	}
}

// framing reports whether line only says that a test starts or goes on.
func framing(line string) bool {
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// settle makes a failure of every test that did not finish, and tells parents
// of the failures below them.
func (p *pkg) settle() {
	for _, t := range p.order {
		if t.outcome == unfinished {
			t.outcome = failed
			t.output = append(t.output, "    did not finish: its process ended first\n")
		}
	}
	for _, t := range p.order {
		if t.outcome != failed {
			continue
		}
		for parent := p.parent(t); parent != nil; parent = p.parent(parent) {
			parent.childFailed = true
		}
	}
}

// counted reports whether t counts as a test of its own: a test with subtests
// does so only when it failed without any of them failing.
func (t *test) counted() bool {
	return !t.hasChildren || t.outcome == failed && !t.childFailed
}

// reason returns what a skipped test gave as its reason.
func (t *test) reason() string {
	var words []string
	for _, line := range t.output {
		if strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	// The first word is the place, such as "boot_test.go:17:".
	if len(words) > 1 && strings.HasSuffix(words[0], ":") && strings.Contains(words[0], ".go:") {
		words = words[1:]
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}
