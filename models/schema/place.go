package schema

import (
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A place is where faults about a value go. The text of its path is made only
// when there is a fault.
type place struct {
	rep    *report.Report
	key    key.Key
	suffix string // what is no key: "[3].endpoint[0]"
	secret bool
}

func (p place) path() string { return p.key.String() + p.suffix }

func (p place) in(suffix string) place {
	p.suffix += suffix
	return p
}

func (p place) fault(code report.Code, n *syntax.Node, detail, hint string) bool {
	f := report.Fault{Code: code, Path: p.path(), Detail: detail, Hint: hint, Line: n.Pos.Line, Column: n.Pos.Column}
	if n.Kind != syntax.Table && n.Kind != syntax.Array {
		f.Value = n.Describe()
	}
	if p.secret {
		f.Value = scalar.Redacted
	}
	p.rep.Add(f)
	return false
}

// hiding returns p for a value of which a part is secret. Where its shape is
// wrong, nobody can say which part that is.
func (p place) hiding(c *codec) place {
	p.secret = p.secret || c.partSecret
	return p
}

func (p place) wrongType(n *syntax.Node, want string) bool {
	what := n.Describe()
	if p.secret {
		what = n.Kind.String()
	}
	return p.fault(report.WrongType, n, "want "+want+", got "+what, "")
}

func (p place) invalid(n *syntax.Node, err error, r scalar.Rule) bool {
	hint := ""
	if r.Want != "" {
		hint = "want " + r.Want
	}
	return p.fault(report.InvalidValue, n, err.Error(), hint)
}
