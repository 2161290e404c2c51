package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
	"github.com/bulkhead-os/bulkhead/variants"
)

// CodeFailed is the code of the fault that a generator has failed.
const CodeFailed report.Code = "setting-not-generated"

// applyLimit is how long an apply of what was found may take.
const applyLimit = 2 * time.Minute

// New returns a runner for the node whose root is root and whose API is api.
func New(ctx context.Context, api *client.Client, root string, list []Generator, facts Facts) (*Runner, error) {
	h, err := api.Health(ctx)
	if err != nil {
		return nil, err
	}
	var files fs.FS = variants.Files
	if own := filepath.Join(root, "usr/share/bulkhead/variants"); exists(own) {
		files = os.DirFS(own)
	}
	v, err := variant.Load(files, h.Variant)
	if err != nil {
		return nil, err
	}
	return &Runner{API: api, Facts: facts, Schema: v.Schema, List: list}, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// Faults returns what went wrong with generators. None of it keeps a node from
// coming up.
func Faults(program string, outcomes []Outcome) []report.Fault {
	var out []report.Fault
	for _, o := range outcomes {
		if o.Err == nil {
			continue
		}
		out = append(out, report.Fault{
			Severity: report.Warning, Code: CodeFailed,
			Detail: fmt.Sprintf("no value was found for %s: %v", strings.Join(o.Generator.Outputs, ", "), o.Err),
			Hint:   fmt.Sprintf("set it, or see: %s %s --explain", program, o.Generator.Name),
		})
	}
	return out
}

// A Program is a command that runs generators.
type Program struct {
	Name   string // that it is called by
	Report string // name of its health file
	Short  string
	Long   string
	List   []Generator
	Facts  func(root string) Facts
}

type options struct {
	socket, root, health, stage string
	list, explain               bool
}

// Command returns the command.
func (p Program) Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use: p.Name + " [NAME...]", Short: p.Short, Long: p.Long,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case opt.list && len(args) == 0 && opt.stage == "":
				return p.list(cmd.OutOrStdout())
			case opt.list:
				return usage.Mistake(errors.New("--list goes with nothing else"))
			case opt.stage != "" && (len(args) > 0 || opt.explain):
				return usage.Mistake(errors.New("--stage goes without names and without --explain"))
			case opt.stage != "":
				return p.run(cmd.Context(), opt, cmd.ErrOrStderr())
			case len(args) == 0:
				return usage.Mistake(errors.New("want the NAME of a generator; --list has all"))
			}
			return p.show(cmd, opt, args)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.BoolVar(&opt.list, "list", false, "list the generators")
	f.BoolVar(&opt.explain, "explain", false, "say what a generator goes by, and whether its value counts")
	f.StringVar(&opt.stage, "stage", "", "run all generators of a `STAGE` of the boot (start, boot or network), store what they find, and apply it")
	f.StringVar(&opt.socket, "socket", client.DefaultSocket, "`PATH` of the socket of the settings API")
	f.StringVar(&opt.root, "root", "/", "`DIR` that the files of the node are in")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	return cmd
}

func (p Program) list(w io.Writer) error {
	for _, g := range p.List {
		if _, err := fmt.Fprintf(w, "%-24s %-8s %-7s %s\n", g.Name, g.Stage, g.Strength, strings.Join(g.Outputs, " ")); err != nil {
			return err
		}
	}
	return nil
}

// run runs a stage. That a generator fails is reported, and is no error.
func (p Program) run(ctx context.Context, opt options, log io.Writer) error {
	if !slices.Contains(Stages(), Stage(opt.stage)) {
		return usage.Mistake(fmt.Errorf("--stage %q, want start, boot or network", opt.stage))
	}
	api := client.New(opt.socket)
	r, err := New(ctx, api, opt.root, p.List, p.Facts(opt.root))
	if err != nil {
		return err
	}
	outcomes, err := r.Run(ctx, Stage(opt.stage))
	if err != nil {
		return err
	}
	changed := false
	for _, o := range outcomes {
		changed = changed || o.Changed && o.Err == nil
		fmt.Fprintln(log, o)
	}
	err = healthfile.WriteTo(opt.health, p.Report, Faults(p.Name, outcomes))
	if !changed {
		return err
	}
	done, applyErr := api.ApplyCurrent(ctx, applyLimit)
	if applyErr == nil && !done.Done() {
		applyErr = fmt.Errorf("apply what was found: not done within %s", applyLimit)
	}
	return errors.Join(err, applyErr)
}

// show prints what the named generators find, and stores nothing.
func (p Program) show(cmd *cobra.Command, opt options, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(p.List, func(g Generator) bool { return g.Name == name }) {
			return usage.Mistake(fmt.Errorf("there is no generator %q; --list has all", name))
		}
	}
	r, err := New(cmd.Context(), client.New(opt.socket), opt.root, p.List, p.Facts(opt.root))
	if err != nil {
		return err
	}
	outcomes, err := r.Explain(cmd.Context(), names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Generator.Name == name }) {
			return fmt.Errorf("generator %s is for settings that this variant does not have", name)
		}
	}
	if opt.explain {
		for _, o := range outcomes {
			o.explain(cmd.OutOrStdout())
		}
		return nil
	}
	return printValues(cmd.OutOrStdout(), outcomes)
}

// printValues prints what was found as one JSON object.
func printValues(w io.Writer, outcomes []Outcome) error {
	var leaves []document.Leaf
	var errs []error
	for _, o := range outcomes {
		leaves = append(leaves, o.Values...)
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.Generator.Name, o.Err))
		}
		if o.Passed != "" {
			errs = append(errs, fmt.Errorf("%s finds nothing: %s", o.Generator.Name, o.Passed))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(json.RawMessage(document.Of(leaves...).JSON()))
}

// String says in one line what became of the generator.
func (o Outcome) String() string {
	switch {
	case o.Err != nil:
		return fmt.Sprintf("%s: %v", o.Generator.Name, o.Err)
	case o.Passed != "":
		return fmt.Sprintf("%s: passed over, %s", o.Generator.Name, o.Passed)
	case !o.Changed:
		return o.Generator.Name + ": as before"
	}
	var names []string
	for _, leaf := range o.Values {
		names = append(names, leaf.Key.String())
	}
	return fmt.Sprintf("%s: found %s", o.Generator.Name, strings.Join(names, ", "))
}

func (o Outcome) explain(w io.Writer) {
	g := o.Generator
	fmt.Fprintf(w, "%s: %s\n", g.Name, g.Summary)
	row := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("runs", "at stage %s; what it finds is %s", g.Stage, g.Strength)
	for _, leaf := range o.Settings {
		row("setting", "%s = %s", leaf.Key, leaf.Value.JSON())
	}
	for _, name := range slices.Concat(g.Facts, g.OptionalFacts) {
		if v, ok := o.Facts[name]; ok {
			row("fact", "%s is %s", name, v)
		} else {
			row("fact", "%s is not known", name)
		}
	}
	switch {
	case o.Err != nil:
		row("fails", "%v", o.Err)
	case o.Passed != "":
		row("finds", "nothing: %s", o.Passed)
	}
	for _, leaf := range o.Values {
		row("finds", "%s = %s", leaf.Key, leaf.Value.JSON())
	}
	for _, name := range g.Outputs {
		k := parse(name)
		if origin, ok := o.InForce[k]; ok {
			row("in force", "%s = %s, from layer %s", k, origin.Value, origin.Layer)
		} else {
			row("in force", "%s is not set", k)
		}
	}
}
