package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
)

func (p *program) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain KEY",
		Short: "Tell what a setting is, where its value comes from, and what it reaches",
		Long: `Tell what the setting or table KEY is, what it is set to on this node and by
whom, and which files, units and programs depend on it.`,
		Example: `  apiclient explain ntp.time-servers
  apiclient explain -o json kubernetes`,
		Args:              between(1, 1, "one KEY"),
		ValidArgsFunction: p.completeKeys(""),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := parseKeys(args)
			if err != nil {
				return err
			}
			r, err := p.reach(cmd, keys[0])
			if err != nil {
				return err
			}
			if p.output != "" && p.output != "table" {
				return p.write(cmd, nodeOf(r), "json", "setting")
			}
			_, err = cmd.OutOrStdout().Write(r.text())
			return err
		},
	}
}

// A reached setting is one with its value and what depends on it.
type reached struct {
	explanation
	Values   map[string]client.Origin `json:"values"` // by the text of keys
	Files    []client.FileReader      `json:"files"`
	Programs []string                 `json:"programs"`
}

func (p *program) reach(cmd *cobra.Command, k key.Key) (reached, error) {
	api, ctx := p.client(cmd), cmd.Context()
	v, err := nodeVariant(ctx, api)
	if err != nil {
		return reached{}, err
	}
	e, err := explain(v, k)
	if err != nil {
		return reached{}, err
	}
	k = v.Schema.Canonical(k)
	origins, err := api.Origins(ctx, client.Query{Keys: []key.Key{k}})
	if err != nil {
		return reached{}, err
	}
	readers, err := api.Readers(ctx, k)
	if err != nil {
		return reached{}, err
	}
	return reached{e, origins, orEmpty(readers.Files), orEmpty(readers.Programs)}, nil
}

// text prints r for people.
func (r reached) text() []byte {
	b := bytes.NewBuffer(r.explanation.text())
	b.WriteString("\n  On this node:\n")
	for _, name := range slices.SortedFunc(maps.Keys(r.Values), compareKeys) {
		fmt.Fprintf(b, "  %s = %s\n      %s\n", name, r.Values[name].Value, originText(r.Values[name]))
	}
	if len(r.Values) == 0 {
		b.WriteString("  not set\n")
	}
	b.WriteString("\n  Reaches:\n")
	for _, f := range r.Files {
		fmt.Fprintf(b, "  %s\n", f.Path)
		for _, u := range f.Units {
			fmt.Fprintf(b, "      %s\n", followText(f.OnChange, u))
		}
	}
	for _, name := range r.Programs {
		fmt.Fprintf(b, "  program %s\n", name)
	}
	if len(r.Files)+len(r.Programs) == 0 {
		b.WriteString("  nothing that this API knows of\n")
	}
	return b.Bytes()
}

func originText(o client.Origin) string {
	parts := []string{"by " + string(o.Layer)}
	switch o.Layer {
	case client.Default:
		return "default of the image"
	case client.User:
		parts[0] = fmt.Sprintf("set in generation %d", o.Generation)
	case client.Generated:
		parts[0] = "generated"
		if o.Generator != "" {
			parts[0] += " by " + o.Generator
		}
	}
	if o.Actor != "" && o.Layer == client.User {
		parts = append(parts, "by "+o.Actor)
	}
	if t := timeText(o.Time); t != "" {
		parts = append(parts, t)
	}
	return strings.Join(parts, ", ")
}

// followText says what a unit does when its file changes.
func followText(onChange, unit string) string {
	switch onChange {
	case "restart", "reload":
		return onChange + " " + unit
	case "reload-or-start":
		return "reload " + unit + ", or start it"
	case "none":
		return unit + " reads it when it starts next"
	}
	return "run " + onChange + " for " + unit
}
