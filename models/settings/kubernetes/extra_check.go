package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// extraCheck gathers what is wrong with a part of a configuration.
type extraCheck struct{ faults []string }

func (c *extraCheck) fault(n *yaml.Node, path, detail string) {
	c.faults = append(c.faults, fmt.Sprintf("line %d: %s %s", n.Line, path, detail))
}

// node compares what stands at path with what a kubelet takes there.
func (c *extraCheck) node(n *yaml.Node, path string) {
	c.kind(n, path, path)
}

// kind is node for a path whose form among the fields is another: with "*" for
// the keys of maps and "[]" for the places in lists.
func (c *extraCheck) kind(n *yaml.Node, path, form string) {
	kind := extraFields()[form]
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		c.fault(n, path, "is an anchor or alias: write its value")
	case n.ShortTag() == "!!null" && path != "":
		c.fault(n, path, "has no value")
	case kind == "object" || kind == "map":
		c.mapping(n, path, form, kind)
	case kind == "list":
		if n.Kind != yaml.SequenceNode {
			c.wrong(n, path, "a list")
			return
		}
		for i, item := range n.Content {
			c.kind(item, fmt.Sprintf("%s[%d]", path, i), form+"[]")
		}
	case n.Kind != yaml.ScalarNode:
		c.wrong(n, path, want[kind])
	default:
		c.scalar(n, path, kind)
	}
}

// want says what is written for a kind.
var want = map[string]string{
	"bool": "true or false", "integer": "an integer", "number": "a number", "text": "text, in quotes where it looks like something else",
	"duration": "a duration such as 1m30s", "quantity": "a quantity such as 500m or 10Mi", "time": "a time", "any": "a single value",
}

func (c *extraCheck) wrong(n *yaml.Node, path, want string) {
	if path == "" {
		path = "the text"
	}
	got := map[yaml.Kind]string{yaml.MappingNode: "a table", yaml.SequenceNode: "a list"}[n.Kind]
	if got == "" {
		got = quote(n.Value)
	}
	c.fault(n, path, fmt.Sprintf("is %s, want %s", got, want))
}

func (c *extraCheck) mapping(n *yaml.Node, path, form, kind string) {
	if n.Kind == yaml.ScalarNode && path == "" && n.ShortTag() == "!!null" {
		return // comments alone
	}
	if n.Kind != yaml.MappingNode {
		c.wrong(n, path, "a table")
		return
	}
	seen := map[string]bool{}
	for pair := range slices.Chunk(n.Content, 2) {
		name, value := pair[0], pair[1]
		inner, innerForm := join(path, name.Value), join(form, name.Value)
		if kind == "map" {
			innerForm = join(form, "*")
		}
		why, denied := extraDenied[inner]
		switch {
		case seen[name.Value]:
			c.fault(name, inner, "is there twice")
		case denied:
			c.fault(name, inner, "cannot be set here: it "+why)
		case extraFields()[innerForm] == "":
			c.fault(name, inner, "is no field of a kubelet"+hint(innerForm))
		default:
			c.kind(value, inner, innerForm)
		}
		seen[name.Value] = true
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// hint names the field that differs in the case of letters alone.
func hint(form string) string {
	for path := range extraFields() {
		if strings.EqualFold(path, form) {
			return ", want " + path[strings.LastIndexByte(path, '.')+1:]
		}
	}
	return ""
}

func (c *extraCheck) scalar(n *yaml.Node, path, kind string) {
	tag, good := n.ShortTag(), true
	switch kind {
	case "bool":
		good = tag == "!!bool"
	case "integer":
		good = tag == "!!int"
	case "number":
		good = tag == "!!int" || tag == "!!float"
	case "text", "time":
		good = tag == "!!str" || kind == "time" && tag == "!!timestamp"
	case "duration":
		_, err := time.ParseDuration(n.Value)
		good = tag == "!!str" && err == nil
	case "quantity":
		q, err := ParseQuantity(n.Value)
		_, known := q.Value()
		good = err == nil && known
	}
	if !good {
		c.wrong(n, path, want[kind])
	}
}
