package updater

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// shadowed returns a node on which an action may be thought through: what the updater
// keeps is a copy, and what was fetched is seen from a directory that may go. The disk
// is that of n. The caller drops it.
func (n node) shadowed() (_ node, drop func() error, err error) {
	dir, err := os.MkdirTemp("", "updater-")
	if err != nil {
		return n, nil, err
	}
	drop = func() error { return os.RemoveAll(dir) }
	out := n
	out.shadow, out.data = filepath.Join(dir, "updates"), filepath.Join(dir, "data")
	if err = os.Mkdir(out.data, 0o700); err == nil {
		err = os.CopyFS(out.shadow, os.DirFS(n.dir()))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // nothing was ever done
	}
	for _, name := range []string{spoolDir, bundleName} {
		if err == nil {
			err = os.Symlink(filepath.Join(n.data, name), filepath.Join(out.data, name))
		}
	}
	if err != nil {
		return n, nil, errors.Join(err, drop())
	}
	return out, drop, nil
}

// plan returns what r would do, or why it would be refused. The node of e is a
// shadowed one.
func (e *engine) plan(ctx context.Context, r updater.Request, bundleFile string) (*updater.Plan, error) {
	if err := e.see(); err != nil {
		return nil, err
	}
	if f := e.allow(r); f != nil {
		return nil, f
	}
	return e.foresee(ctx, r, bundleFile)
}

// foresee returns what r would do.
func (e *engine) foresee(ctx context.Context, r updater.Request, bundleFile string) (_ *updater.Plan, err error) {
	e.progress = e.begin(r)
	defer e.progress.stop()
	p := &updater.Plan{Action: r.Action, Running: e.facts.version.String(), Steps: []string{}}
	switch r.Action {
	case updater.Refresh, updater.Prepare, updater.Apply:
		err = e.foreseeInstall(ctx, r, bundleFile, p)
	default:
		err = e.foreseeSwitch(r, p)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return nil, err
	}
	if r.Reboot && p.Version != "" {
		p.Steps = append(p.Steps, "reboot")
	}
	return p, nil
}

// foreseeSwitch adds what is changed where that is names of boot programs only.
func (e *engine) foreseeSwitch(r updater.Request, p *updater.Plan) error {
	plan, err := e.preview(r)
	if err != nil {
		return err
	}
	for _, step := range plan {
		p.Steps = append(p.Steps, step.String())
	}
	if r.Action == updater.Deactivate {
		p.Version = p.Running
		return nil
	}
	for _, s := range e.view.Status().Slots {
		if !s.Running && s.Version != "" && s.Version != p.Running {
			p.Version = s.Version
		}
	}
	return nil
}

// foreseeInstall adds what is fetched, and what is done with it.
func (e *engine) foreseeInstall(ctx context.Context, r updater.Request, bundleFile string, p *updater.Plan) (err error) {
	f, chosen, err := e.find(ctx, r, bundleFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	s := e.store.now()
	p.From, p.Waiting = f.source.Places(), s.Waiting
	if chosen == nil {
		return e.nothing(r, bundleFile)
	}
	p.Version = chosen.Version.String()
	var c course
	switch r.Action {
	case updater.Refresh:
		p.Steps = append(p.Steps, "choose version "+p.Version+" for the next prepare")
	case updater.Prepare:
		c.stage = true
	case updater.Apply:
		c = courseTo(chosen.Version, s)
	}
	if c.deactivate {
		p.Steps = append(p.Steps, "deactivate version "+s.StagingPartition.Image.Version)
	}
	if c.stage {
		st := stager{e: e, f: f, rel: *chosen, spool: spool{filepath.Join(e.node.data, spoolDir)}}
		if err := st.foresee(ctx, p); err != nil {
			return err
		}
	}
	if c.activate {
		p.Steps = append(p.Steps, "activate version "+p.Version+": the next boot tries it")
	}
	return nil
}

// foresee adds what run would fetch and write. It refuses what run would refuse before
// it touches anything.
func (s *stager) foresee(ctx context.Context, p *updater.Plan) (err error) {
	s.view = s.e.view
	if s.place, err = s.e.node.open(s.view, esp.Read); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.place.Close()) }()
	for _, step := range []func(context.Context) error{s.measure, s.roomForBoot} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if p.Fetch, err = s.expect(ctx); err != nil {
		return err
	}
	for _, entry := range s.view.Entries {
		if entry.Root != s.view.Boot.Root {
			p.Steps = append(p.Steps, "remove the boot program "+entry.File)
		}
	}
	version := s.rel.Version.String()
	p.Steps = append(p.Steps, "write version "+version+" to slot "+s.place.slot, "write the boot program "+slots.FileName(version))
	return nil
}

// expect returns the files that run would ask for.
func (s *stager) expect(ctx context.Context) (out []updater.Fetch, err error) {
	want := s.wantedMigrations()
	for _, version := range slices.Sorted(maps.Keys(want)) {
		t, err := s.f.client.Target(ctx, want[version])
		if err != nil {
			return nil, err
		}
		out = append(out, s.whole("migrations", t))
	}
	for _, i := range []struct {
		image update.Image
		name  string
	}{{update.HashImage, "tree"}, {update.BootImage, "boot-program"}, {update.RootImage, "root"}} {
		list, err := s.expectImage(ctx, i.image, i.name)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return slices.DeleteFunc(out, func(f updater.Fetch) bool { return f.Bytes == 0 }), nil
}

func (s *stager) expectImage(ctx context.Context, image update.Image, name string) ([]updater.Fetch, error) {
	t, err := s.f.client.Target(ctx, s.rel.Images.Target(image))
	if err != nil {
		return nil, err
	}
	if s.left(t) == 0 {
		return nil, nil
	}
	if patch, ok := s.patchTarget(ctx, image, t.Length); ok {
		return []updater.Fetch{s.whole(name, patch)}, nil
	}
	blocks := updater.Fetch{For: name, Target: t.Name, Bytes: t.Length, AtMost: true}
	switch {
	case image == update.RootImage:
		return []updater.Fetch{blocks}, nil
	case image == update.BootImage && s.rel.Images.BootBlocks != "":
		list, err := s.f.client.Target(ctx, s.rel.Images.BootBlocks)
		if err != nil {
			return nil, err
		}
		return []updater.Fetch{s.whole(name, list), blocks}, nil
	}
	return []updater.Fetch{s.whole(name, t)}, nil
}

// whole returns that a target is fetched, as far as that was not done before.
func (s *stager) whole(name string, t repoclient.Target) updater.Fetch {
	return updater.Fetch{For: name, Target: t.Name, Bytes: s.left(t)}
}

// left returns how much of a target is not in the spool.
func (s *stager) left(t repoclient.Target) int64 {
	name := s.spool.name(t)
	if checkFile(name, t) == nil {
		return 0
	}
	if info, err := os.Stat(name + partSuffix); err == nil && info.Size() < t.Length {
		return t.Length - info.Size()
	}
	return t.Length
}
