package updater

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
)

// Names below the directory on DATA.
const (
	spoolDir   = "spool"
	bundleName = "bundle.tar"
)

// prepare writes the chosen version into the slot that does not run.
func (e *engine) prepare(ctx context.Context, r updater.Request, bundleFile string) (err error) {
	f, chosen, err := e.find(ctx, r, bundleFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if chosen == nil {
		return e.nothing(r, bundleFile)
	}
	return e.stage(ctx, f, *chosen)
}

// find returns the repository, which the caller closes, and what r is to install:
// for a prepare that names nothing what an earlier refresh chose, otherwise what a
// refresh chooses now, or nil. A prepare is foreseen as if a refresh came first.
func (e *engine) find(ctx context.Context, r updater.Request, bundleFile string) (*found, *update.Release, error) {
	if r.Action == updater.Prepare && r.Version == "" && bundleFile == "" && !r.DryRun {
		return e.chosenBefore(ctx)
	}
	return e.refresh(ctx, r, bundleFile)
}

// chosenBefore returns what an earlier refresh chose, if it is still to be had.
func (e *engine) chosenBefore(ctx context.Context) (_ *found, _ *update.Release, err error) {
	s := e.store.now()
	if s.ChosenUpdate == nil {
		return nil, nil, errNothing
	}
	want, err := update.ParseVersion(s.ChosenUpdate.Version)
	if err != nil {
		return nil, nil, err
	}
	f, err := e.open(ctx, e.keptBundle())
	if err != nil {
		return nil, nil, err
	}
	rel, err := e.offered(f.manifest, want)
	if err != nil {
		return nil, nil, errors.Join(err, f.close())
	}
	return f, &rel, nil
}

// offered returns the release that was chosen, if it may still be installed. That
// its wave had come was seen when it was chosen.
func (e *engine) offered(m update.Manifest, want update.Version) (update.Release, error) {
	req, err := e.conf.request(e.facts, nil)
	if err != nil {
		return update.Release{}, err
	}
	req.Version, req.IgnoreWaves = want, true
	all, err := m.Candidates(req, e.present(e.store.memory.Root))
	if err != nil {
		return update.Release{}, err
	}
	for _, c := range all {
		switch {
		case c.Release.Version != want:
		case c.Refusal != "":
			return update.Release{}, fmt.Errorf("version %s is no longer offered: %s", want, c.Refusal)
		default:
			return c.Release, nil
		}
	}
	return update.Release{}, fmt.Errorf("version %s is no longer offered: the repository does not have it", want)
}

// keptBundle returns the file of the bundle that the chosen version is in, or
// nothing.
func (e *engine) keptBundle() string {
	if !e.store.memory.Bundle {
		return ""
	}
	return filepath.Join(e.node.data, bundleName)
}

// stage prepares a release of a repository.
func (e *engine) stage(ctx context.Context, f *found, rel update.Release) error {
	e.progress.set(func(p *updater.Progress) { p.Version = rel.Version.String() })
	s := stager{e: e, f: f, rel: rel, spool: spool{filepath.Join(e.node.data, spoolDir)}}
	if err := s.run(ctx); err != nil {
		return err
	}
	return e.see()
}
