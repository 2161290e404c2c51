package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func (p *program) setCommand() *cobra.Command {
	var documents []string
	cmd := &cobra.Command{
		Use:   "set KEY=VALUE... | --json JSON",
		Short: "Change settings",
		Long: `Change settings and apply them. Nothing is printed when it worked.

The type of each setting decides how its VALUE is read: motd=42 is the text 42,
kubernetes.max-pods=42 the number. Lists are written as JSON. "settings." in
front of a KEY may be left out; a name that holds a dot stands in double quotes,
which the shell needs to be kept from: 'kernel.sysctl."vm.max_map_count"=262144'.

With --json the settings are a JSON object as apiclient get prints it.`,
		Example: `  apiclient set motd="hi there" kernel.lockdown=integrity
  apiclient set 'kubernetes.node-labels."example.org/zone"=a'
  apiclient set 'ntp.time-servers=["time.example.org"]'
  apiclient set --json '{"kernel": {"sysctl": {"vm.max_map_count": "262144"}}}'
  apiclient set --try 5m --message "other time servers" ntp.time-servers='["10.0.0.1"]'`,
		ValidArgsFunction: p.completeKeys("="),
	}
	c := p.newChange(cmd)
	cmd.Flags().StringArrayVarP(&documents, "json", "j", nil, "the settings as a `JSON` object")
	cmd.RunE = func(cmd *cobra.Command, pairs []string) error {
		s, err := setStage(pairs, documents)
		if err != nil {
			return err
		}
		return c.run(cmd, s)
	}
	return cmd
}

// setStage returns how the settings given on the command line are staged.
func setStage(pairs, documents []string) (stage, error) {
	switch {
	case len(documents) > 1:
		return nil, usage("--json is given %d times, want once", len(documents))
	case len(documents) == 1 && len(pairs) > 0:
		return nil, usage("KEY=VALUE and --json exclude each other")
	case len(documents) == 1:
		return jsonStage(documents[0]), nil
	case len(pairs) == 0:
		return nil, usage("want KEY=VALUE or --json")
	}
	for _, p := range pairs {
		if err := checkPair(p); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, api *client.Client, tx string) (int, error) {
		return api.PatchPairs(ctx, tx, pairs)
	}, nil
}

func checkPair(p string) error {
	name, _, ok := strings.Cut(p, "=")
	if !ok {
		return &UsageError{Err: fmt.Errorf("%q has no =, want KEY=VALUE", shorten(p, 80)), Hint: "apiclient unset removes a setting"}
	}
	if _, err := key.Parse(name); err != nil {
		return &UsageError{Err: err, Hint: `a name that holds a dot stands in double quotes: 'kubernetes.node-labels."example.org/zone"=a'`}
	}
	return nil
}

func jsonStage(text string) stage {
	return func(ctx context.Context, api *client.Client, tx string) (int, error) {
		n, err := api.Patch(ctx, client.Patch{Tx: tx, ContentType: client.JSON, Body: unwrap(text)})
		return n, withSource(err, "--json")
	}
}

// unwrap merges an outer "settings" with what stands beside it. Any other text
// stays as it is, so that the API can say where its faults are.
func unwrap(text string) []byte {
	n, rep := syntax.JSON([]byte(text), syntax.DefaultLimits)
	if rep.HasErrors() || n.Kind != syntax.Table || len(n.Fields) < 2 {
		return []byte(text)
	}
	inner := n.Field(key.Root)
	if inner == nil || inner.Kind != syntax.Table {
		return []byte(text)
	}
	outer := syntax.NewTable()
	for _, f := range n.Fields {
		if f.Name != key.Root {
			outer.Fields = append(outer.Fields, f)
		}
	}
	return document.NodeJSON(nil, mergeNodes(outer, inner))
}

// mergeNodes lays b over a: tables member by member, everything else whole.
func mergeNodes(a, b *syntax.Node) *syntax.Node {
	if a.Kind != syntax.Table || b.Kind != syntax.Table {
		return b
	}
	out := syntax.NewTable()
	for _, f := range a.Fields {
		if over := b.Field(f.Name); over != nil {
			f.Value = mergeNodes(f.Value, over)
		}
		out.Fields = append(out.Fields, f)
	}
	for _, f := range b.Fields {
		if a.Field(f.Name) == nil {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
