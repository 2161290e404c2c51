package render

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A shape is what can be known of a template without running it.
type shape struct {
	reads   []Read
	members []string // of .value, by constant names
	whole   bool     // .value is used in other ways, too
}

// The names of the functions that analysis puts into templates. They are not
// known while a template is parsed, so that none can call them.
const (
	printFunc = "_print" // sees what an action prints
	keepFunc  = "_keep"  // sees what an action assigns
	tickFunc  = "_tick"  // runs at the start of each round of a loop and of each define
)

// analyser walks the tree of a template. It collects the shape, and makes the
// bounds and the rule of encoders part of the template.
type analyser struct {
	shape shape
	tree  *parse.Tree
	calls map[string][]string // templates by the ones they call
	fault *plan.Fault

	strict  bool // refuse what can be seen to print text without an encoder
	rebound int  // how many range and with stand round: the dot is not all data
	passing bool // in the argument of a template action
}

func analyse(tmpl *template.Template, strict bool) (shape, *plan.Fault) {
	a := &analyser{calls: map[string][]string{}, strict: strict}
	all := tmpl.Templates()
	slices.SortFunc(all, func(x, y *template.Template) int { return strings.Compare(x.Name(), y.Name()) })
	for _, t := range all {
		if t.Tree == nil {
			continue
		}
		a.tree = t.Tree
		a.list(t.Root)
		a.prefix(t.Root, t.Root.Pos)
	}
	if a.fault == nil {
		a.circles()
	}
	slices.Sort(a.shape.members)
	a.shape.members = slices.Compact(a.shape.members)
	return a.shape, a.fault
}

func (a *analyser) fail(n parse.Node, format string, args ...any) {
	if a.fault != nil {
		return
	}
	place, _ := a.tree.ErrorContext(n)
	line, column := 0, 0
	parts := strings.Split(place, ":")
	if len(parts) >= 2 {
		line, _ = strconv.Atoi(parts[len(parts)-2]) // ErrorContext writes numbers
		column, _ = strconv.Atoi(parts[len(parts)-1])
	}
	a.fault = &plan.Fault{Line: line, Column: column + 1, Detail: fmt.Sprintf(format, args...)}
}

func (a *analyser) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		a.node(n)
	}
}

func (a *analyser) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		a.pipe(n.Pipe)
		a.guard(n)
	case *parse.IfNode:
		a.branch(&n.BranchNode)
	case *parse.WithNode:
		a.branch(&n.BranchNode)
	case *parse.RangeNode:
		a.branch(&n.BranchNode)
		a.prefix(n.List, n.Pos)
	case *parse.TemplateNode:
		a.calls[a.tree.Name] = append(a.calls[a.tree.Name], n.Name)
		a.passing = true // what is done with it there is seen there
		a.pipe(n.Pipe)
		a.passing = false
	}
}

func (a *analyser) branch(n *parse.BranchNode) {
	a.pipe(n.Pipe)
	if n.NodeType != parse.NodeIf {
		a.rebound++
		defer func() { a.rebound-- }()
	}
	a.list(n.List)
	a.list(n.ElseList)
}

// guard lets the value of an action go through a check at its end.
func (a *analyser) guard(n *parse.ActionNode) {
	name := printFunc
	if len(n.Pipe.Decl) > 0 {
		name = keepFunc
	} else if a.strict {
		a.endsEncoded(n)
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, a.call(name, n.Pipe.Pos))
}

// endsEncoded refuses what can be seen to print text that no encoder wrote.
// What cannot be seen is refused while it runs.
func (a *analyser) endsEncoded(n *parse.ActionNode) {
	last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].Args[0]
	switch last := last.(type) {
	case *parse.StringNode:
		a.fail(n, "prints a constant: put it outside of the action, or end the action with an encoder")
	case *parse.IdentifierNode:
		if givesText(last.Ident) {
			a.fail(n, "prints what %s gives: end the action with an encoder such as toml, yaml or line", last.Ident)
		}
	}
}

// givesText reports whether a function is known to give text that is not
// encoded. What fail gives is never seen.
func givesText(name string) bool {
	f := functions()[name]
	return plainText[name] || f != nil && name != "fail" && reflect.TypeOf(f).Out(0) == reflect.TypeFor[string]()
}

// plainText are the functions of package template that give text.
var plainText = map[string]bool{"print": true, "printf": true, "println": true, "html": true, "js": true, "urlquery": true}

func (a *analyser) prefix(l *parse.ListNode, pos parse.Pos) {
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{a.call(tickFunc, pos)}}
	tick := &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: pipe}
	l.Nodes = append([]parse.Node{tick}, l.Nodes...)
}

func (a *analyser) call(name string, pos parse.Pos) *parse.CommandNode {
	id := parse.NewIdentifier(name).SetTree(a.tree).SetPos(pos)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{id}}
}

func (a *analyser) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		a.command(c)
	}
}

func (a *analyser) command(c *parse.CommandNode) {
	id, isCall := c.Args[0].(*parse.IdentifierNode)
	for i, arg := range c.Args {
		switch arg := arg.(type) {
		case *parse.IdentifierNode:
			a.identifier(arg, i)
		case *parse.PipeNode:
			a.pipe(arg)
		default:
			a.value(arg, isCall && i == 1 && a.member(id.Ident, c))
		}
	}
	if isCall {
		a.read(id, c)
	}
}

func (a *analyser) identifier(id *parse.IdentifierNode, at int) {
	switch id.Ident {
	case "setting", "optional", "have", "member", "optmember":
		if at > 0 {
			a.fail(id, "%s has no arguments here: put it in parentheses with them", id.Ident)
		}
	}
}

// member notes the name in a call such as member .value "x" and reports
// whether c is one.
func (a *analyser) member(function string, c *parse.CommandNode) bool {
	if function != "member" && function != "optmember" || len(c.Args) != 3 || !isValue(c.Args[1], true) {
		return false
	}
	name, ok := c.Args[2].(*parse.StringNode)
	if ok {
		a.shape.members = append(a.shape.members, name.Text)
	}
	return ok
}

// value notes uses of .value.
func (a *analyser) value(n parse.Node, known bool) {
	if chain, ok := n.(*parse.ChainNode); ok {
		if p, ok := chain.Node.(*parse.PipeNode); ok {
			a.pipe(p)
		}
		return
	}
	switch {
	case a.isData(n):
		a.shape.whole = a.shape.whole || !a.passing
	case known || !isValue(n, false):
	case n.Type() == parse.NodeField && a.rebound > 0:
	case isValue(n, true):
		a.shape.whole = true
	default:
		a.shape.members = append(a.shape.members, fields(n)[1])
	}
}

// isData reports whether n is all data.
func (a *analyser) isData(n parse.Node) bool {
	if v, ok := n.(*parse.VariableNode); ok {
		return len(v.Ident) == 1 && v.Ident[0] == "$"
	}
	return n.Type() == parse.NodeDot && a.rebound == 0
}

// isValue reports whether n is .value, or with exact false also a member of it.
func isValue(n parse.Node, exact bool) bool {
	f := fields(n)
	return len(f) > 0 && f[0] == "value" && (!exact || len(f) == 1)
}

func fields(n parse.Node) []string {
	switch n := n.(type) {
	case *parse.FieldNode:
		return n.Ident
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			return n.Ident[1:]
		}
	}
	return nil
}

// read notes the setting that a call names.
func (a *analyser) read(id *parse.IdentifierNode, c *parse.CommandNode) {
	switch id.Ident {
	case "setting", "optional", "have":
	default:
		return
	}
	if len(c.Args) != 2 {
		a.fail(id, "%s takes one constant: the name of a setting", id.Ident)
		return
	}
	name, ok := c.Args[1].(*parse.StringNode)
	if !ok {
		a.fail(c.Args[1], "the name of a setting must be a constant, got %s", c.Args[1])
		return
	}
	k, err := key.Parse(name.Text)
	if err != nil {
		a.fail(name, "%v", err)
		return
	}
	a.shape.reads = append(a.shape.reads, Read{Key: k, Required: id.Ident == "setting"})
}

// circles refuses templates that call themselves.
func (a *analyser) circles() {
	const visiting, left = 1, 2
	state := map[string]int{}
	var visit func(name string) bool
	visit = func(name string) bool {
		if state[name] != 0 {
			return state[name] == visiting
		}
		state[name] = visiting
		for _, next := range a.calls[name] {
			if visit(next) {
				return true
			}
		}
		state[name] = left
		return false
	}
	for name := range a.calls {
		if visit(name) {
			a.fault = &plan.Fault{Detail: "a define calls itself, perhaps by way of others"}
			return
		}
	}
}
