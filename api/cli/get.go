package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

type getOptions struct {
	layer        string
	origin       bool
	secrets      bool
	exclude      []string
	canonicalize bool
}

// plain reports whether opt asks for nothing but what there is.
func (opt getOptions) plain() bool { return opt.layer == "" && !opt.origin && !opt.secrets }

func (p *program) getCommand() *cobra.Command {
	var opt getOptions
	cmd := &cobra.Command{
		Use:   "get [PREFIX... | /URI]",
		Short: "Print settings and facts about the system",
		Long: `Print every setting whose name begins with one of the PREFIXes, and with os
facts about the running image. Without arguments everything is printed.

"settings." in front of a name may be left out. Names that hold a dot stand in
double quotes: kubernetes.node-labels."example.org/zone".

An argument that begins with / is a URI of the API, read as it is.

What is not set is not printed; when nothing is, the output is {}.`,
		Example: `  apiclient get
  apiclient get motd
  apiclient get settings.kubernetes os
  apiclient get --layer user -o toml
  apiclient get --origin ntp
  apiclient get /health`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "/") }) {
				return p.getURI(cmd, args, opt)
			}
			return p.get(cmd, args, opt)
		},
		ValidArgsFunction: p.completeKeys(""),
	}
	f := cmd.Flags()
	f.StringVar(&opt.layer, "layer", "", "only what one `LAYER` says: user, generated, default, or effective for all together")
	f.BoolVar(&opt.origin, "origin", false, "print where each setting comes from: layer, generation, time and actor")
	f.BoolVar(&opt.secrets, "secrets", false, "print secrets in clear (admins only; the audit log notes it)")
	f.StringArrayVar(&opt.exclude, "exclude", nil, "leave out what begins with `PREFIX`; may be given several times")
	f.BoolVar(&opt.canonicalize, "canonicalize", false, "accepted for compatibility: the output always has a stable order")
	fixed(cmd, "layer", layers...)
	return cmd
}

var layers = []string{string(client.User), string(client.Generated), string(client.Default), string(client.Effective)}

func (p *program) getURI(cmd *cobra.Command, args []string, opt getOptions) error {
	if len(args) != 1 || !opt.plain() || len(opt.exclude) > 0 {
		return usage("a URI stands alone: get /URI takes no prefixes, --layer, --origin, --secrets and --exclude")
	}
	res, err := p.client(cmd).Do(cmd.Context(), client.Request{URI: args[0]})
	if err != nil {
		return err
	}
	n, err := parseJSON(res.Body)
	if err != nil { // text, as /metrics
		_, err := cmd.OutOrStdout().Write(res.Body)
		return err
	}
	return p.write(cmd, n, "json", "items")
}

// selections reads the arguments of get. Only plain settings have facts beside
// them.
func selections(args []string, opt getOptions) ([]selection, error) {
	if len(args) == 0 {
		args = []string{string(inSettings)}
		if opt.plain() {
			args = append(args, string(inOS))
		}
	}
	var out []selection
	for _, a := range args {
		s, err := parseSelection(a)
		if err != nil {
			return nil, err
		}
		if s.section == inOS && !opt.plain() {
			return nil, usage("%q names facts about the image, which have no --layer, --origin and --secrets", a)
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *program) get(cmd *cobra.Command, args []string, opt getOptions) error {
	if opt.layer != "" && !slices.Contains(layers, opt.layer) {
		return usage("--layer %q: want %s", opt.layer, strings.Join(layers, ", "))
	}
	selected, err := selections(args, opt)
	if err != nil {
		return err
	}
	var exclude []selection
	for _, a := range opt.exclude {
		s, err := parseSelection(a)
		if err != nil {
			return err
		}
		exclude = append(exclude, s)
	}
	if opt.origin {
		return p.getOrigins(cmd, selected, exclude, opt)
	}
	doc, facts, err := p.read(cmd, selected, opt)
	if err != nil {
		return err
	}
	doc = without(doc, facts, exclude)
	n := syntax.NewTable()
	if len(facts) > 0 {
		n.Fields = append(n.Fields, syntax.Field{Name: string(inOS), Value: nodeOf(facts)})
	}
	if doc.Len() > 0 {
		n.Fields = append(n.Fields, syntax.Field{Name: string(inSettings), Value: documentNode(doc)})
	}
	if len(n.Fields) == 0 {
		p.remark(cmd, "nothing is set there")
	}
	return p.write(cmd, n, "json", "settings")
}

func (s selection) query(opt getOptions) client.Query {
	q := client.Query{Layer: client.Layer(opt.layer), Secrets: opt.secrets}
	if !s.all() {
		q.Prefix = s.prefix
	}
	return q
}

// read fetches the selected settings and facts.
func (p *program) read(cmd *cobra.Command, selected []selection, opt getOptions) (document.Document, map[string]any, error) {
	api, ctx := p.client(cmd), cmd.Context()
	var doc document.Document
	facts := map[string]any{}
	for _, s := range selected {
		if s.section == inOS {
			more, err := api.OS(ctx, strings.TrimPrefix(s.prefix, "os."))
			if err != nil {
				return doc, nil, err
			}
			maps.Copy(facts, more)
			continue
		}
		got, err := api.Settings(ctx, s.query(opt))
		if err != nil {
			return doc, nil, err
		}
		doc = document.Merge(got.Document, doc)
	}
	return doc, facts, nil
}

func (p *program) getOrigins(cmd *cobra.Command, selected, exclude []selection, opt getOptions) error {
	origins := map[string]client.Origin{}
	for _, s := range selected {
		more, err := p.client(cmd).Origins(cmd.Context(), s.query(opt))
		if err != nil {
			return err
		}
		maps.Copy(origins, more)
	}
	for name := range origins {
		if slices.ContainsFunc(exclude, func(s selection) bool { return s.matches(name) }) {
			delete(origins, name)
		}
	}
	if p.output != "table" {
		return p.write(cmd, nodeOf(origins), "json", "settings")
	}
	r := rows{head: []string{"KEY", "VALUE", "LAYER", "GENERATION", "TIME", "ACTOR"}}
	for _, name := range slices.SortedFunc(maps.Keys(origins), compareKeys) {
		o := origins[name]
		r.cells = append(r.cells, []string{name, string(o.Value), string(o.Layer), generationText(o.Generation), timeText(o.Time), o.Actor})
	}
	return p.writeRows(cmd, r)
}

// compareKeys orders the texts of keys as documents order keys.
func compareKeys(a, b string) int {
	x, errA := key.Parse(a)
	y, errB := key.Parse(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

func generationText(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func timeText(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
