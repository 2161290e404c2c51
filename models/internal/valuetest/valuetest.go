// Package valuetest checks, in tests, the types of values against what they
// accept and against the rules by which they describe themselves.
package valuetest

import (
	"encoding"
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Text is one row of a table: in is accepted where want is empty, and
// refused with the error want otherwise.
type Text struct{ Name, In, Want string }

// A Value is a value that is written as text and describes itself.
type Value interface {
	fmt.Stringer
	encoding.TextMarshaler
	scalar.Ruled
}

// Texts runs tests through parse. What is accepted has to print back as it was
// written and to match the type's own rule, and so do the rule's examples.
func Texts[T Value](t *testing.T, parse func(string) (T, error), tests []Text) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.Name, func(t *testing.T) {
			v, err := parse(tt.In)
			if diff := cmp.Diff(tt.Want, ErrorText(err)); diff != "" {
				t.Fatalf("parse %T %q: error (-want +got):\n%s", v, tt.In, diff)
			}
			if err == nil {
				PrintsAs(t, v, tt.In)
			}
		})
	}
	var zero T
	for _, s := range zero.Rule().Examples {
		v, err := parse(s)
		if err != nil {
			t.Errorf("parse %T %q, an example of its rule: %v", v, s, err)
			continue
		}
		PrintsAs(t, v, s)
	}
}

// PrintsAs fails t unless v, which was accepted, prints as s and s matches the
// rule of v.
func PrintsAs[T Value](t *testing.T, v T, s string) {
	t.Helper()
	if v.String() != s {
		t.Errorf("%T of %q prints as %q, want it unchanged", v, s, v)
	}
	if text, err := v.MarshalText(); err != nil || string(text) != s {
		t.Errorf("%T of %q: MarshalText() = %q, %v, want it unchanged", v, s, text, err)
	}
	rule := v.Rule()
	if !regexp.MustCompile(rule.Pattern).MatchString(s) {
		t.Errorf("%T accepts %q, which its pattern %s does not match", v, s, rule.Pattern)
	}
	if rule.MaxBytes > 0 && len(s) > rule.MaxBytes {
		t.Errorf("%T accepts %d bytes, its rule allows %d", v, len(s), rule.MaxBytes)
	}
}

// ErrorText returns the text of err, or "" where there is none.
func ErrorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Parse returns the T written as s.
func Parse[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, s string,
) *T {
	t.Helper()
	var v T
	if err := P(&v).UnmarshalText([]byte(s)); err != nil {
		t.Fatalf("parse %T %q: %v", v, s, err)
	}
	return &v
}

// A Setting reads itself from a node.
type Setting interface{ UnmarshalSetting(n *syntax.Node) error }

// Integer returns the node of the integer written as s.
func Integer(s string) *syntax.Node { return &syntax.Node{Kind: syntax.Integer, Text: s} }

// Float returns the node of the number with a fraction written as s.
func Float(s string) *syntax.Node { return &syntax.Node{Kind: syntax.Float, Text: s} }

// Strings returns the node of a list of strings.
func Strings(s ...string) *syntax.Node {
	n := syntax.NewArray()
	for _, item := range s {
		n.Items = append(n.Items, syntax.NewString(item))
	}
	return n
}

// Faults returns the faults that check finds, rendered on one line each.
func Faults(check func(report.Place), root string) []string {
	var r report.Report
	check(report.NewPlace(&r, key.Of(root)))
	var texts []string
	for _, f := range r.Faults {
		texts = append(texts, f.String())
	}
	return texts
}
