package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
)

func (p *program) historyCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history [GENERATION]",
		Short: "List the generations of the settings, or show one",
		Long: `List the generations of the settings, newest first: number, time, who, how many
settings changed, state, and the message of the commit.

With a GENERATION, show it and what it changed.`,
		Example: `  apiclient history
  apiclient history 12`,
		Args:              between(0, 1, "at most one generation"),
		ValidArgsFunction: p.completeGenerations,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return p.showGeneration(cmd, args[0])
			}
			if limit < 0 {
				return usage("--limit %d: want 0 for all, or more", limit)
			}
			list, err := p.client(cmd).Generations(cmd.Context(), limit, 0)
			if err != nil {
				return err
			}
			return p.list(cmd, orEmpty(list), "generations", generationRows(list))
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most `N` generations; 0 for all")
	return cmd
}

func generationRows(list []client.Generation) rows {
	r := rows{head: []string{"GENERATION", "TIME", "ACTOR", "CHANGED", "STATE", "MESSAGE"}}
	for _, g := range list {
		r.cells = append(r.cells, []string{
			generationText(g.ID), timeText(&g.Time), g.Actor.Name, strconv.Itoa(g.Changed), stateOf(g), g.Message,
		})
	}
	return r
}

// stateOf says what is special about g: that it is current, and where it comes
// from when not from an ordinary commit.
func stateOf(g client.Generation) string {
	var words []string
	if g.Current {
		words = append(words, "current")
	}
	switch {
	case g.Confirmed:
	case g.Current:
		words = append(words, "on trial")
	default:
		words = append(words, "not confirmed")
	}
	if g.Origin != "" && g.Origin != "commit" {
		words = append(words, g.Origin)
	}
	return strings.Join(words, ", ")
}

func (p *program) showGeneration(cmd *cobra.Command, arg string) error {
	id, err := parseGeneration(arg)
	if err != nil {
		return err
	}
	api := p.client(cmd)
	g, err := api.Generation(cmd.Context(), id)
	if err != nil {
		return err
	}
	d, err := api.Made(cmd.Context(), id)
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
		err = nil // the parent is no longer kept
	}
	if err != nil {
		return err
	}
	if p.output != "" && p.output != "table" {
		return p.write(cmd, nodeOf(struct {
			client.Generation
			Changes []document.Change `json:"changes"`
		}{g, orEmpty(d.Changes)}), "json", "generation")
	}
	facts := [][]string{
		{"generation", strconv.FormatUint(g.ID, 10)},
		{"parent", generationText(g.Parent)},
		{"time", timeText(&g.Time)},
		{"actor", g.Actor.Name},
		{"state", stateOf(g)},
		{"message", g.Message},
	}
	for _, f := range facts {
		if f[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-11s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return p.writeChanges(cmd, d.Changes)
}
