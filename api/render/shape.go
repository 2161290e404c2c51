package render

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	tree "text/template/parse"

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
	tree  *tree.Tree
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

func (a *analyser) fail(n tree.Node, format string, args ...any) {
	if a.fault != nil {
		return
	}
	place, _ := a.tree.ErrorContext(n)
	line, column := 0, 0
	parts := strings.Split(place, ":")
	if len(parts) >= 2 {
		_, _ = fmt.Sscan(parts[len(parts)-2], &line) // ErrorContext writes numbers
		_, _ = fmt.Sscan(parts[len(parts)-1], &column)
	}
	a.fault = &plan.Fault{Line: line, Column: column + 1, Detail: fmt.Sprintf(format, args...)}
}

func (a *analyser) list(l *tree.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		a.node(n)
	}
}

func (a *analyser) node(n tree.Node) {
	switch n := n.(type) {
	case *tree.ActionNode:
		a.pipe(n.Pipe)
		a.guard(n)
	case *tree.IfNode:
		a.branch(&n.BranchNode)
	case *tree.WithNode:
		a.branch(&n.BranchNode)
	case *tree.RangeNode:
		a.branch(&n.BranchNode)
		a.prefix(n.List, n.Pos)
	case *tree.TemplateNode:
		a.calls[a.tree.Name] = append(a.calls[a.tree.Name], n.Name)
		a.passing = true // what is done with it there is seen there
		a.pipe(n.Pipe)
		a.passing = false
	}
}

func (a *analyser) branch(n *tree.BranchNode) {
	a.pipe(n.Pipe)
	if n.NodeType != tree.NodeIf {
		a.rebound++
		defer func() { a.rebound-- }()
	}
	a.list(n.List)
	a.list(n.ElseList)
}

// guard lets the value of an action go through a check at its end.
func (a *analyser) guard(n *tree.ActionNode) {
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
func (a *analyser) endsEncoded(n *tree.ActionNode) {
	last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].Args[0]
	switch last := last.(type) {
	case *tree.StringNode:
		a.fail(n, "prints a constant: put it outside of the action, or end the action with an encoder")
	case *tree.IdentifierNode:
		if f := functions()[last.Ident]; f != nil && reflect.TypeOf(f).Out(0) == reflect.TypeFor[string]() || plainText[last.Ident] {
			a.fail(n, "prints what %s gives: end the action with an encoder such as toml, yaml or line", last.Ident)
		}
	}
}

// plainText are the functions of package template that give text.
var plainText = map[string]bool{"print": true, "printf": true, "println": true, "html": true, "js": true, "urlquery": true}

func (a *analyser) prefix(l *tree.ListNode, pos tree.Pos) {
	pipe := &tree.PipeNode{NodeType: tree.NodePipe, Pos: pos, Cmds: []*tree.CommandNode{a.call(tickFunc, pos)}}
	tick := &tree.ActionNode{NodeType: tree.NodeAction, Pos: pos, Pipe: pipe}
	l.Nodes = append([]tree.Node{tick}, l.Nodes...)
}

func (a *analyser) call(name string, pos tree.Pos) *tree.CommandNode {
	id := tree.NewIdentifier(name).SetTree(a.tree).SetPos(pos)
	return &tree.CommandNode{NodeType: tree.NodeCommand, Pos: pos, Args: []tree.Node{id}}
}

func (a *analyser) pipe(p *tree.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		a.command(c)
	}
}

func (a *analyser) command(c *tree.CommandNode) {
	id, isCall := c.Args[0].(*tree.IdentifierNode)
	for i, arg := range c.Args {
		switch arg := arg.(type) {
		case *tree.IdentifierNode:
			a.identifier(arg, i)
		case *tree.PipeNode:
			a.pipe(arg)
		default:
			a.value(arg, isCall && i == 1 && a.member(id.Ident, c))
		}
	}
	if isCall {
		a.read(id, c)
	}
}

func (a *analyser) identifier(id *tree.IdentifierNode, at int) {
	switch id.Ident {
	case "setting", "optional", "have", "member", "optmember":
		if at > 0 {
			a.fail(id, "%s has no arguments here: put it in parentheses with them", id.Ident)
		}
	}
}

// member notes the name in a call such as member .value "x" and reports
// whether c is one.
func (a *analyser) member(function string, c *tree.CommandNode) bool {
	if function != "member" && function != "optmember" || len(c.Args) != 3 || !isValue(c.Args[1], true) {
		return false
	}
	name, ok := c.Args[2].(*tree.StringNode)
	if ok {
		a.shape.members = append(a.shape.members, name.Text)
	}
	return ok
}

// value notes uses of .value.
func (a *analyser) value(n tree.Node, known bool) {
	if chain, ok := n.(*tree.ChainNode); ok {
		if p, ok := chain.Node.(*tree.PipeNode); ok {
			a.pipe(p)
		}
		return
	}
	switch {
	case a.isData(n):
		a.shape.whole = a.shape.whole || !a.passing
	case known || !isValue(n, false):
	case n.Type() == tree.NodeField && a.rebound > 0:
	case isValue(n, true):
		a.shape.whole = true
	default:
		a.shape.members = append(a.shape.members, fields(n)[1])
	}
}

// isData reports whether n is all data.
func (a *analyser) isData(n tree.Node) bool {
	if v, ok := n.(*tree.VariableNode); ok {
		return len(v.Ident) == 1 && v.Ident[0] == "$"
	}
	return n.Type() == tree.NodeDot && a.rebound == 0
}

// isValue reports whether n is .value, or with exact false also a member of it.
func isValue(n tree.Node, exact bool) bool {
	f := fields(n)
	return len(f) > 0 && f[0] == "value" && (!exact || len(f) == 1)
}

func fields(n tree.Node) []string {
	switch n := n.(type) {
	case *tree.FieldNode:
		return n.Ident
	case *tree.VariableNode:
		if n.Ident[0] == "$" {
			return n.Ident[1:]
		}
	}
	return nil
}

// read notes the setting that a call names.
func (a *analyser) read(id *tree.IdentifierNode, c *tree.CommandNode) {
	switch id.Ident {
	case "setting", "optional", "have":
	default:
		return
	}
	if len(c.Args) != 2 {
		a.fail(id, "%s takes one constant: the name of a setting", id.Ident)
		return
	}
	name, ok := c.Args[1].(*tree.StringNode)
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
