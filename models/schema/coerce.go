package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// ReadPairs reads settings given as KEY=VALUE. The type of each setting
// decides how its value is read, so that nothing is guessed: motd=42 is the
// string, kubernetes.max-pods=42 the number. Of pairs with the same key the
// last counts.
func (s *Schema) ReadPairs(pairs []string) Input {
	var in Input
	root := syntax.NewTable()
	for _, p := range pairs {
		text, value, ok := strings.Cut(p, "=")
		if !ok {
			in.Report.Add(report.Fault{Code: report.Syntax, Detail: fmt.Sprintf("%q has no =", shorten(p)), Hint: "want KEY=VALUE"})
			continue
		}
		k, err := key.Parse(text)
		if err != nil {
			in.Report.Add(report.Fault{Code: report.InvalidKey, Detail: err.Error(), Hint: `want names joined by dots; names that hold dots in double quotes, as in kubernetes.node-labels."example.org/zone"=a`})
			continue
		}
		n, fault := s.Coerce(k, value)
		if fault != nil {
			in.Report.Add(*fault)
			continue
		}
		graft(root, s.Canonical(k), n)
	}
	out := s.Decode(root, Options{})
	in.Report.Merge(out.Report)
	in.Patch = out.Patch
	return in
}

// Coerce reads text as the value of k according to the type of k: JSON for
// lists, a number or true or false where such is wanted, else a string.
func (s *Schema) Coerce(k key.Key, text string) (*syntax.Node, *report.Fault) {
	node, ok := s.Lookup(k)
	if !ok {
		return nil, &report.Fault{Code: report.UnknownSetting, Path: k.String(), Detail: "there is no such setting", Hint: s.Nearest(k)}
	}
	if node.Kind != Leaf {
		return nil, &report.Fault{Code: report.WrongType, Path: k.String(), Detail: "is a table and has no value of its own", Hint: "set one of its members, or give the table as JSON"}
	}
	return coerce(node, k, text)
}

func coerce(node *Node, k key.Key, text string) (*syntax.Node, *report.Fault) {
	accepts := func(t string) bool { return slices.Contains(node.codec.types, t) }
	switch {
	case accepts("boolean") && (text == "true" || text == "false"):
		return &syntax.Node{Kind: syntax.Bool, Text: text}, nil
	case accepts("integer") && isInteger(text):
		return &syntax.Node{Kind: syntax.Integer, Text: text}, nil
	case accepts("number") && isNumber(text):
		return &syntax.Node{Kind: syntax.Float, Text: text}, nil
	case (accepts("array") || accepts("object")) && strings.HasPrefix(strings.TrimSpace(text), "["):
		return listFrom(k, text)
	case !accepts("string") && accepts("array") && !reshapes(node):
		return nil, &report.Fault{
			Code: report.WrongType, Path: k.String(), Detail: "want a list, got " + valueOf(node, text),
			Hint: `write it as JSON: ["a", "b"]`,
		}
	}
	return syntax.NewString(text), nil
}

// reshapes reports whether a list also takes a single value.
func reshapes(n *Node) bool {
	_, ok := zero(n).(reshaper)
	return ok
}

func valueOf(n *Node, text string) string {
	if n.HoldsSecrets() {
		return "something else"
	}
	return strconv.Quote(shorten(text))
}

func listFrom(k key.Key, text string) (*syntax.Node, *report.Fault) {
	n, rep := syntax.JSON([]byte(text), syntax.DefaultLimits)
	if rep.HasErrors() {
		f := rep.Faults[0]
		return nil, &report.Fault{
			Code: f.Code, Path: k.String(), Detail: fmt.Sprintf("%s at byte %d of the value", f.Detail, f.Column),
			Hint: `write a list as JSON: ["a", "b"]`,
		}
	}
	clearPositions(n)
	return n, nil
}

func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0')
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.Trim(s, "0123456789.eE+-") == ""
}

// graft puts n at k below root, replacing what stood there.
func graft(root *syntax.Node, k key.Key, n *syntax.Node) {
	first, rest := k.Cut()
	i := slices.IndexFunc(root.Fields, func(f syntax.Field) bool { return f.Name == first })
	if i < 0 {
		root.Fields = append(root.Fields, syntax.Field{Name: first, Value: syntax.NewTable()})
		i = len(root.Fields) - 1
	}
	if rest.IsRoot() {
		root.Fields[i].Value = n
		return
	}
	if root.Fields[i].Value.Kind != syntax.Table {
		root.Fields[i].Value = syntax.NewTable()
	}
	graft(root.Fields[i].Value, rest, n)
}

func shorten(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
