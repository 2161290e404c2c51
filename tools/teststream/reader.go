package teststream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Tally counts tests.
type Tally struct{ Passed, Failed, Skipped int }

// Add adds o to t.
func (t *Tally) Add(o Tally) {
	t.Passed += o.Passed
	t.Failed += o.Failed
	t.Skipped += o.Skipped
}

// String returns the line that ends a run: "3 passed, 0 failed, 1 skipped".
func (t Tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.Passed, t.Failed, t.Skipped)
}

// A Skip is a test that did not run where it is.
type Skip struct{ Package, Test, Reason string }

// A Reader is written the output of go test -json and tells its progress on
// another writer: a line for each package when it is finished, and in full
// what failing tests wrote.
type Reader struct {
	out     io.Writer
	trim    string // prefix of import paths that goes without saying
	line    []byte // the line that has not ended yet
	pkgs    map[string]*pkg
	order   []*pkg
	builds  map[string][]string // what building an import path wrote
	told    map[string]bool     // builds whose output has been told
	tally   Tally
	skips   []Skip
	writeTo error // the first error of out
}

// NewReader returns a Reader that tells its progress on out and leaves trim
// away from the front of import paths.
func NewReader(out io.Writer, trim string) *Reader {
	return &Reader{out: out, trim: trim, pkgs: map[string]*pkg{}, builds: map[string][]string{}, told: map[string]bool{}}
}

// Write reads b, the next part of the stream.
func (r *Reader) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		r.line = append(r.line, line...)
		if !ended {
			return n, r.writeTo
		}
		r.readLine(r.line)
		r.line, b = r.line[:0], rest
	}
}

// Close ends the stream. Packages that did not finish have failed.
func (r *Reader) Close() error {
	if len(r.line) > 0 {
		r.readLine(r.line)
		r.line = nil
	}
	for _, p := range r.order {
		if r.pkgs[p.path] != nil {
			p.output = append(p.output, "did not finish: go test ended first\n")
			r.finish(p, event{Action: "fail"})
		}
	}
	return r.writeTo
}

// Tally returns the count of the tests that finished so far.
func (r *Reader) Tally() Tally { return r.tally }

// Skips returns the tests that were skipped so far.
func (r *Reader) Skips() []Skip { return r.skips }

func (r *Reader) printf(format string, args ...any) {
	_, err := fmt.Fprintf(r.out, format, args...)
	if r.writeTo == nil {
		r.writeTo = err
	}
}

func (r *Reader) readLine(line []byte) {
	var e event
	// The go command writes some of its own complaints between the events.
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		r.printf("%s\n", line)
		return
	}
	switch e.Action {
	case "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return
	case "build-fail":
		return // the package's own event names it as FailedBuild
	}
	p := r.pkgs[e.Package]
	if p == nil {
		p = newPkg(e.Package)
		r.pkgs[e.Package] = p
		r.order = append(r.order, p)
	}
	if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
		r.finish(p, e)
		return
	}
	p.add(e)
}

// finish counts and tells the package p, which end ended.
func (r *Reader) finish(p *pkg, end event) {
	delete(r.pkgs, p.path)
	p.failedBuild = end.FailedBuild
	p.settle()
	tally := p.tally(end.Action == "fail")
	r.tally.Add(tally)
	for _, t := range p.order {
		if t.outcome == skipped && t.counted() {
			r.skips = append(r.skips, Skip{Package: r.short(p.path), Test: t.name, Reason: t.reason()})
		}
	}
	elapsed := time.Duration(end.Elapsed * float64(time.Second)).Round(time.Millisecond)
	switch {
	case tally.Failed > 0:
		r.printf("FAIL  %-32s %s\n", r.short(p.path), elapsed)
		r.tellFailures(p)
	case tally != Tally{}:
		r.printf("ok    %-32s %s, %s\n", r.short(p.path), count(tally), elapsed)
	}
}

func count(t Tally) string {
	text := fmt.Sprintf("%d tests", t.Passed)
	if t.Passed == 1 {
		text = "1 test"
	}
	if t.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", t.Skipped)
	}
	return text
}

func (p *pkg) tally(pkgFailed bool) Tally {
	var t Tally
	for _, test := range p.order {
		if !test.counted() {
			continue
		}
		switch test.outcome {
		case passed:
			t.Passed++
		case skipped:
			t.Skipped++
		default:
			t.Failed++
		}
	}
	if pkgFailed && t.Failed == 0 {
		t.Failed++ // the build, TestMain or an init
	}
	return t
}

// tellFailures writes the whole output of what failed in p.
func (r *Reader) tellFailures(p *pkg) {
	if b := p.failedBuild; b != "" {
		if r.told[b] {
			r.printf("      needs %s, which is told above\n", r.short(b))
			return
		}
		r.told[b] = true
		r.indent(r.builds[b])
		return
	}
	for _, t := range p.order {
		if t.outcome != failed {
			continue
		}
		// A parent says nothing of its own as a rule; a panic is told there.
		if len(t.output) == 1 && t.hasChildren {
			continue
		}
		r.printf("      %s\n", t.name)
		r.indent(t.output)
	}
	r.indent(p.output)
}

func (r *Reader) indent(lines []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, "FAIL\t") || l == "FAIL\n" || strings.HasPrefix(l, "--- FAIL: ") {
			continue
		}
		r.printf("        %s\n", strings.TrimSuffix(l, "\n"))
	}
}

func (r *Reader) short(path string) string { return strings.TrimPrefix(path, r.trim) }
