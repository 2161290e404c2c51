package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that makes the shell complete commands, settings and generations",
		Example: `  source <(apiclient completion bash)
  apiclient completion fish > ~/.config/fish/completions/apiclient.fish`,
		Args:      between(1, 1, "one of bash, zsh and fish"),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return usage("there is no completion for %q, want bash, zsh or fish", args[0])
		},
	}
}

// A completer gives what may stand where the user pressed the key.
type completer = cobra.CompletionFunc

// completionTime bounds how long the shell waits for the API.
const completionTime = 500 * time.Millisecond

// complete makes the values of a flag complete.
func complete(cmd *cobra.Command, flag string, f completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil { // the flag is not there
		panic("cli: " + err.Error())
	}
}

// fixed makes a flag complete to the words.
func fixed(cmd *cobra.Command, flag string, words ...string) {
	complete(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

func completeVariants(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, err := variant.Names(variants.Files)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeTransactions(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	list, err := p.client(cmd).Transactions(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range list {
		names = append(names, described(t.Name, fmt.Sprintf("%d settings, %s", t.Keys, t.Actor.Name)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeGenerations(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	list, err := p.client(cmd).Generations(ctx, 50, 0)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, g := range list {
		ids = append(ids, described(generationText(g.ID), strings.TrimSpace(timeText(&g.Time)+" "+g.Message)))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// described is a completion with what shells print beside it.
func described(word, text string) string {
	return word + "\t" + strings.Join(strings.Fields(text), " ")
}

// completeKeys completes the names of settings: those that the schema has, and
// the members of maps that are set on the node. end follows a complete name;
// with "=" the values of a setting complete, too.
func (p *program) completeKeys(end string) completer {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		api := p.client(cmd)
		s := completionSchema(ctx, api)
		if name, _, ok := strings.Cut(typed, "="); ok && end != "" {
			return valuesOf(s, name), cobra.ShellCompDirectiveNoFileComp
		}
		words := slices.Concat(schemaKeys(s, end), setKeys(ctx, api, end))
		if strings.HasPrefix(typed, key.Root+".") {
			for i := range words {
				words[i] = key.Root + "." + words[i]
			}
		}
		words = slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, typed) })
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completionSchema returns the schema of the node, or one of all settings when
// the node does not answer.
func completionSchema(ctx context.Context, api *client.Client) *schema.Schema {
	if v, err := nodeVariant(ctx, api); err == nil {
		return v.Schema
	}
	return schema.For(settings.Type, "", nil)
}

// schemaKeys returns the names of all settings of s, up to where a name of the
// user's own begins.
func schemaKeys(s *schema.Schema, end string) []string {
	var words []string
	s.Root().Walk(func(path []string, n *schema.Node) {
		if len(path) == 0 || slices.ContainsFunc(path, func(seg string) bool { return strings.HasPrefix(seg, "<") }) {
			return
		}
		name := strings.TrimPrefix(key.Of(path...).String(), key.Root+".")
		switch n.Kind {
		case schema.Leaf:
			words = append(words, described(name+end, sentence(n.Doc)))
		case schema.Map:
			words = append(words, described(name+".", sentence(n.Doc)))
		}
	})
	return words
}

// setKeys returns the names of settings with names of the user's own.
func setKeys(ctx context.Context, api *client.Client, end string) []string {
	got, err := api.Settings(ctx, client.Query{})
	if err != nil {
		return nil
	}
	var words []string
	for k := range got.Document.All() {
		words = append(words, strings.TrimPrefix(k.String(), key.Root+".")+end)
	}
	return words
}

// valuesOf returns KEY=VALUE for the values that a setting may have.
func valuesOf(s *schema.Schema, name string) []string {
	k, err := key.Parse(name)
	if err != nil {
		return nil
	}
	n, ok := s.Lookup(k)
	if !ok || n.Kind != schema.Leaf {
		return nil
	}
	d := n.Describe()
	values := d.Enum
	if d.Type == "boolean" {
		values = []string{"true", "false"}
	}
	var words []string
	for _, v := range values {
		words = append(words, name+"="+v)
	}
	return words
}
