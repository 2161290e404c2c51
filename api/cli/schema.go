package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

func (p *program) schemaCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "schema [KEY]",
		Short: "Explain a setting, or print the JSON Schema of all",
		Long: `Explain the setting or table KEY: its type, what it accepts, its default and what
it does. Without a KEY print the JSON Schema of all settings.

The settings are those of the node's variant, or of the one named with
--variant, for which no node is needed.`,
		Example: `  apiclient schema ntp
  apiclient schema --variant qemu-dev motd
  apiclient schema > settings.schema.json`,
		Args:              between(0, 1, "at most one KEY"),
		ValidArgsFunction: p.completeKeys(""),
	}
	cmd.Flags().StringVar(&name, "variant", "", "the settings of the variant called `NAME`")
	complete(cmd, "variant", completeVariants)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return p.printSchema(cmd, name)
		}
		keys, err := parseKeys(args)
		if err != nil {
			return err
		}
		v, err := p.variant(cmd, name)
		if err != nil {
			return err
		}
		e, err := explain(v, keys[0])
		if err != nil {
			return err
		}
		if p.output != "" && p.output != "table" {
			return p.write(cmd, nodeOf(e), "json", "setting")
		}
		_, err = cmd.OutOrStdout().Write(e.text())
		return err
	}
	return cmd
}

// variant returns the variant called name, or that of the node.
func (p *program) variant(cmd *cobra.Command, name string) (*variant.Variant, error) {
	if name != "" {
		return localVariant(name)
	}
	return nodeVariant(cmd.Context(), p.client(cmd))
}

func (p *program) printSchema(cmd *cobra.Command, name string) error {
	var data []byte
	if name != "" {
		v, err := localVariant(name)
		if err != nil {
			return err
		}
		data = v.Schema.JSONSchema(v.Defaults)
	} else {
		var err error
		if data, err = p.client(cmd).Schema(cmd.Context()); err != nil {
			return err
		}
	}
	n, err := parseJSON(data)
	if err != nil {
		return err
	}
	return p.write(cmd, n, "json", "schema")
}

// An explanation says what a setting or a table of settings is.
type explanation struct {
	Key        string          `json:"key"`
	Type       string          `json:"type"`
	Doc        string          `json:"doc,omitempty"`
	Accepts    string          `json:"accepts,omitempty"`
	Values     []string        `json:"values,omitempty"`
	Default    *document.Value `json:"default,omitempty"`
	Examples   []string        `json:"examples,omitempty"`
	Secret     bool            `json:"secret,omitempty"`
	Mandatory  bool            `json:"mandatory,omitempty"`
	Deprecated string          `json:"deprecated,omitempty"`
	Aliases    []string        `json:"aliases,omitempty"`
	Members    []memberSummary `json:"members,omitempty"`
}

// A memberSummary is a line about a member of a table.
type memberSummary struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Doc       string `json:"doc,omitempty"`
	Mandatory bool   `json:"mandatory,omitempty"`
}

// explain describes k in the variant v.
func explain(v *variant.Variant, k key.Key) (explanation, error) {
	n, ok := v.Schema.Lookup(k)
	if !ok {
		return explanation{}, &hinted{fmt.Errorf("%s: there is no such setting in variant %s", k, v.Name), v.Schema.Nearest(k)}
	}
	k = v.Schema.Canonical(k)
	e := explanation{
		Key: k.String(), Doc: n.Doc, Mandatory: n.Required, Deprecated: n.Deprecated, Aliases: n.Aliases, Type: typeOf(n),
	}
	for _, f := range n.Fields {
		e.Members = append(e.Members, summary(f))
	}
	if n.Rest != nil {
		e.Members = append(e.Members, summary(n.Rest.Elem))
	}
	switch n.Kind {
	case schema.Map:
		e.Members = append(e.Members, summary(n.Elem))
		e.Accepts = "names: " + n.DescribeKey().Accepts
		if n.DescribeKey().Accepts == "" {
			e.Accepts = ""
		}
	case schema.Leaf:
		d := n.Describe()
		e.Accepts, e.Values, e.Secret = d.Accepts, d.Enum, d.Secret
		if !d.Secret && len(d.Enum) == 0 {
			e.Examples = d.Examples
		}
		for _, m := range n.Members() {
			e.Members = append(e.Members, memberSummary{m.Name, m.Type, m.Doc, m.Required})
		}
	}
	if val, ok := v.Defaults.Get(k); ok && !e.Secret {
		e.Default = &val
	}
	return e, nil
}

func summary(n *schema.Node) memberSummary {
	return memberSummary{Name: n.Name, Type: typeOf(n), Doc: n.Doc, Mandatory: n.Required}
}

func typeOf(n *schema.Node) string {
	switch n.Kind {
	case schema.Table:
		return "table"
	case schema.Map:
		return "map of " + typeOf(n.Elem)
	}
	return n.Describe().Type
}

const textWidth = 80

// text prints e for people.
func (e explanation) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  (%s)\n", e.Key, e.Type)
	if e.Doc != "" {
		fmt.Fprintf(&b, "\n%s\n", wrap(e.Doc, "  ", textWidth))
	}
	facts := e.facts()
	if len(facts) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range facts {
		value := strings.TrimLeft(wrap(f[1], strings.Repeat(" ", 14), textWidth), " ")
		fmt.Fprintf(&b, "  %-11s %s\n", f[0], value)
	}
	if len(e.Members) > 0 {
		b.WriteString("\n  Members:\n")
	}
	for _, m := range e.Members {
		kind := m.Type
		if m.Mandatory {
			kind += ", mandatory"
		}
		fmt.Fprintf(&b, "  %s  (%s)\n", m.Name, kind)
		if s := sentence(m.Doc); s != "" {
			fmt.Fprintf(&b, "%s\n", wrap(s, "      ", textWidth))
		}
	}
	return b.Bytes()
}

// facts are the names and values of what is known about e.
func (e explanation) facts() [][2]string {
	var all [][2]string
	add := func(name, value string) {
		if value != "" {
			all = append(all, [2]string{name, value})
		}
	}
	if len(e.Values) == 0 { // else "accepts" would only list them
		add("accepts", e.Accepts)
	}
	add("one of", strings.Join(e.Values, ", "))
	add("default", valueText(e.Default))
	add("examples", strings.Join(e.Examples, ", "))
	if e.Secret {
		add("secret", "yes: reads print <redacted>")
	}
	if e.Mandatory {
		add("mandatory", "once another member of its table is set")
	}
	add("deprecated", e.Deprecated)
	add("also", strings.Join(slices.Sorted(slices.Values(e.Aliases)), ", "))
	return all
}

// sentence returns the first sentence of a text.
func sentence(doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for i := 0; i+1 < len(doc); i++ {
		if doc[i] == '.' && doc[i+1] == ' ' && !strings.HasSuffix(doc[:i], "e.g") && !strings.HasSuffix(doc[:i], "i.e") {
			return doc[:i+1]
		}
	}
	return doc
}

// wrap breaks text into lines of at most width columns that begin with indent.
// Empty lines between paragraphs stay.
func wrap(text, indent string, width int) string {
	var paragraphs []string
	for par := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var b strings.Builder
		column := 0
		for _, word := range strings.Fields(par) {
			switch {
			case column == 0:
				b.WriteString(indent)
				column = len(indent)
			case column+1+len(word) > width:
				b.WriteString("\n" + indent)
				column = len(indent)
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += len(word)
		}
		paragraphs = append(paragraphs, b.String())
	}
	return strings.Join(paragraphs, "\n\n")
}
