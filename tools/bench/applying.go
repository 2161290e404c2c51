package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/sandbox"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// everything is a document that gives the largest variant the most files.
const everything = "packages/testdata/documents/nasty.toml"

// rendering measures making all files of the variant with the most packages.
func (b *bench) rendering(ctx context.Context) error {
	b.progress("rendering")
	c, settings, err := largest(b.root)
	if err != nil {
		return err
	}
	in := render.Input{
		Settings: settings, OS: render.OS{Variant: c.Name, Version: "1.2.3", Arch: "x86_64"},
		Node: render.Node{Hostname: "node", CPUs: cores, Memory: 16 << 30},
	}
	var took sample
	files := 0
	for range goes {
		begin := time.Now()
		r := c.Set.Render(ctx, in)
		took = append(took, time.Since(begin))
		if len(r.Faults) > 0 {
			return fmt.Errorf("render %s: %w", c.Name, &r.Faults[0])
		}
		files = len(r.Files)
	}
	const bar = 50 * time.Millisecond
	b.add(fmt.Sprintf("rendering all %d files of %s, median", files, c.Name), "≤ "+milliseconds(bar), milliseconds(took.median()), took.median() <= bar)
	return nil
}

// largest returns the variant with the most packages, and settings for it.
func largest(root workspace.Root) (packagelint.Composition, *render.Settings, error) {
	all, err := packagelint.Load(os.DirFS(root.Path("variants")), os.DirFS(root.Path("packages")))
	if err != nil {
		return packagelint.Composition{}, nil, err
	}
	c := slices.MaxFunc(all, func(a, b packagelint.Composition) int { return cmp.Compare(len(a.Packages), len(b.Packages)) })
	data, err := os.ReadFile(root.Path(filepath.FromSlash(everything)))
	if err != nil {
		return c, nil, err
	}
	in := c.Schema.ReadTOML(data, schema.Options{})
	effective, rep := c.Validate(document.Document{}.Apply(in.Patch), document.Document{})
	rep.Merge(in.Report)
	if err := rep.Err(); err != nil {
		return c, nil, fmt.Errorf("%s for %s: %w", everything, c.Name, err)
	}
	settings, err := render.NewSettings(c.Schema, effective)
	return c, settings, err
}

// applying measures a change until the file that follows from it is there, as a
// person in the sandbox has it: with the start of apiclient, and the first time
// with that of apply.
func (b *bench) applying(ctx context.Context) (err error) {
	b.progress("apiclient set --wait")
	dir, err := os.MkdirTemp(b.state, "apply-")
	if err != nil {
		return err
	}
	prog, err := sandbox.Built(b.root, b.become...)
	if err != nil {
		return err
	}
	n, err := sandbox.Start(ctx, prog, dir, sandbox.Variant, os.DirFS(b.root.Path("packages")), b.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	if err := n.Ready(ctx); err != nil {
		return err
	}
	if err := n.Apply(ctx, b.userData); err != nil {
		return err
	}
	if err := n.Idle(ctx); err != nil {
		return err
	}
	first, err := b.set(ctx, n, 0)
	if err != nil {
		return err
	}
	var took sample
	for i := range goes {
		d, err := b.set(ctx, n, i+1)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	const bar = 100 * time.Millisecond
	b.add("apiclient set motd=x --wait with the start of apply", "≤ "+milliseconds(bar), milliseconds(first), first <= bar)
	b.add("apiclient set motd=x --wait, median", "≤ "+milliseconds(bar), milliseconds(took.median()), took.median() <= bar)
	return nil
}

// set sets motd to something new and checks that its file says so.
func (b *bench) set(ctx context.Context, n *sandbox.Node, i int) (time.Duration, error) {
	want := fmt.Sprintf("change %d of the bench", i)
	begin := time.Now()
	err := run.Command{Args: []string{b.root.Path("build", "bin", "apiclient"), "--socket", n.Socket, "set", "--wait", "motd=" + want}}.Run(ctx)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	got, err := os.ReadFile(filepath.Join(n.Root, "etc", "motd"))
	if err != nil {
		return 0, err
	}
	if string(got) != want && string(got) != want+"\n" {
		return 0, fmt.Errorf("/etc/motd holds %q after apiclient set, want %q", got, want)
	}
	return took, nil
}
