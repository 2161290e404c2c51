package kubernetes

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Taint is the value and the effect of a node taint, written value:Effect.
// The value may be empty.
type Taint struct{ s string }

const effectMax = 253

// ParseTaint returns the taint written as s.
func ParseTaint(s string) (Taint, error) {
	if fault := taintFault(s); fault != "" {
		return Taint{}, fmt.Errorf("taint %s %s", quote(s), fault)
	}
	return Taint{s}, nil
}

func taintFault(s string) string {
	value, effect, found := strings.Cut(s, ":")
	switch {
	case !found:
		return "has no colon before its effect"
	case nameFault(value) != "":
		return "has a value that " + nameFault(value)
	case effect == "":
		return "has no effect after the colon"
	case len(effect) > effectMax:
		return fmt.Sprintf("has an effect of %d bytes, more than %d", len(effect), effectMax)
	}
	if piece, found := foreign(effect, ""); found {
		return "has an effect that holds " + piece
	}
	return ""
}

// Value returns the part before the colon.
func (t Taint) Value() string {
	value, _, _ := strings.Cut(t.s, ":")
	return value
}

// Effect returns the part after the colon, such as NoSchedule.
func (t Taint) Effect() string {
	_, effect, _ := strings.Cut(t.s, ":")
	return effect
}

// Rule describes the accepted taints.
func (Taint) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "taint",
		Want:     "value:Effect with a label value, which may be empty, and an effect of letters and digits",
		Pattern:  `^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?:[A-Za-z0-9]{1,253}$`,
		MaxBytes: labelMax + 1 + effectMax,
		Examples: []string{"gpu:NoSchedule", ":NoExecute"},
	}
}

// String returns the taint as it was written.
func (t Taint) String() string { return t.s }

// MarshalText returns the taint as it was written.
func (t Taint) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads a taint.
func (t *Taint) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTaint(string(b))
	return err
}

// Taints are all taints of one key. One alone may be written without the list.
type Taints []Taint

// Reshape puts a single taint into a list of its own.
func (Taints) Reshape(n *syntax.Node) *syntax.Node {
	if n.Kind != syntax.String {
		return n
	}
	return &syntax.Node{Kind: syntax.Array, Items: []*syntax.Node{n}, Pos: n.Pos}
}

// CheckList refuses the empty list: a key without a taint says nothing.
func (t Taints) CheckList() error {
	if len(t) == 0 {
		return fmt.Errorf("list of taints is empty, want at least one")
	}
	return nil
}
