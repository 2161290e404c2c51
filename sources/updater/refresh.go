package updater

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/repoclient"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// Where the image has the root that is trusted to begin with, and where the
// metadata is kept.
const (
	embeddedRoot = "usr/share/bulkhead/updates/root.json"
	metadataDir  = "metadata"
)

// maxManifest bounds what is read of the manifest.
const maxManifest = 4 << 20

// A found is a repository as it was verified.
type found struct {
	client   *repoclient.Client
	source   source
	manifest update.Manifest
}

// close ends the use of the source.
func (f *found) close() error { return f.source.Close() }

// open verifies the repository of the settings, or the bundle in a file.
func (e *engine) open(ctx context.Context, bundleFile string) (_ *found, err error) {
	e.progress.step("metadata")
	f := &found{}
	if f.source, err = e.source(bundleFile); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	e.progress.from(f.source)
	dir, err := rootOf(filepath.Join(e.node.dir(), metadataDir), 0o700)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	root, err := os.ReadFile(filepath.Join(e.node.root, embeddedRoot))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if f.client, err = repoclient.Open(dir, root); err != nil {
		if len(root) == 0 {
			err = errors.New("the image has no root of trust for updates")
		}
		return nil, err
	}
	if err := f.client.Refresh(ctx, f.source, e.present); err != nil {
		return nil, e.doubt(err)
	}
	err = e.store.remember(func(m *memory) { m.Root, m.SignedTime = f.client.RootVersion(), f.client.SignedTime() })
	if err != nil {
		return nil, err
	}
	f.manifest, err = f.readManifest(ctx)
	return f, err
}

func (e *engine) source(bundleFile string) (source, error) {
	if bundleFile != "" {
		return openBundle(bundleFile)
	}
	o := e.download
	o.Agent = "bulkhead-updater"
	signed := e.store.memory.SignedTime // connections are made while that changes
	o.Now = func() time.Time { return latest(e.now(), signed) }
	o.Wrong = func() bool { return e.now().Add(24 * time.Hour).Before(signed) }
	return e.conf.newServer(o)
}

// present returns what time it is, as far as that is known: it is no earlier than
// what the repository said when it was last seen. A new root takes that back. A clock
// that is ahead is believed: whoever could make us disbelieve it could also
// show us old metadata for ever.
func (e *engine) present(root int64) time.Time {
	now := e.now()
	if m := e.store.memory; root == m.Root {
		return latest(now, m.SignedTime)
	}
	return now
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// doubt adds to the error about what has expired that it may be the clock.
func (e *engine) doubt(err error) error {
	if errors.Is(err, repoclient.ErrExpired) {
		return fmt.Errorf("%w; the clock says %s", err, e.now().UTC().Format(time.RFC3339))
	}
	return err
}

func (f *found) readManifest(ctx context.Context) (update.Manifest, error) {
	t, err := f.client.Target(ctx, update.ManifestTarget)
	if err != nil {
		return update.Manifest{}, err
	}
	if t.Length > maxManifest {
		return update.Manifest{}, fmt.Errorf("the manifest has %d bytes, want at most %d", t.Length, maxManifest)
	}
	blob, err := f.source.Blob(t)
	if err != nil {
		return update.Manifest{}, err
	}
	var last error
	for attempt := range attempts {
		var b bytes.Buffer
		if err := blob.Copy(ctx, &b, 0, t.Length, download.Leniently, attempt); err != nil {
			return update.Manifest{}, fmt.Errorf("fetch the manifest: %w", err)
		}
		if last = t.Check(bytes.NewReader(b.Bytes())); last == nil {
			return update.ParseManifest(b.Bytes())
		}
	}
	return update.Manifest{}, last
}

// refresh looks what there is and chooses. It returns the repository, which the
// caller closes, and what is chosen, or nil.
func (e *engine) refresh(ctx context.Context, r updater.Request, bundleFile string) (_ *found, _ *update.Release, err error) {
	f, err := e.open(ctx, bundleFile)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	version, err := e.requested(r)
	if err != nil {
		return nil, nil, err
	}
	c := choice{version: version, ignoreWaves: r.IgnoreWaves || bundleFile != ""}
	chosen, err := e.choose(f.manifest, c, bundleFile)
	if err != nil {
		return nil, nil, err
	}
	if err := e.store.remember(func(m *memory) { m.Bundle = bundleFile != "" }); err != nil {
		return nil, nil, err
	}
	if bundleFile == "" {
		err = removeOld(filepath.Join(e.node.data, bundleName))
	}
	return f, chosen, err
}

// A choice is what a request says about the version.
type choice struct {
	version     update.Version // zero for that of the settings
	ignoreWaves bool
}

// choose selects a release of m and says so in the status. A bundle has one.
func (e *engine) choose(m update.Manifest, c choice, bundleFile string) (*update.Release, error) {
	v, err := e.node.look()
	if err != nil {
		return nil, err
	}
	s, err := e.selection(m, c, bundleFile, v.Memory.Failed)
	if err != nil {
		return nil, err
	}
	err = e.store.update(func(status *updater.Status) {
		s.tell(status)
		status.Checked = e.now().UTC()
		if s.chosen != nil {
			i := e.image(s.chosen.Version.String())
			status.ChosenUpdate = &i
		}
		e.reconcile(status, v)
	})
	if s.chosen != nil {
		e.progress.set(func(p *updater.Progress) { p.Version = s.chosen.Version.String() })
	}
	return s.chosen, err
}

// A selection is what there is, and what is chosen of it.
type selection struct {
	req    update.Request
	all    []update.Candidate // newest first
	chosen *update.Release    // or nil
	why    string             // nothing is chosen, where that is not said by the candidates
	failed map[string]string  // why versions did not hold here
}

func (e *engine) selection(m update.Manifest, c choice, bundleFile string, failures []slots.Failure) (s selection, err error) {
	s.failed = map[string]string{}
	var avoid []update.Version
	for _, f := range failures {
		s.failed[f.Version] = f.Reason
		if version, err := update.ParseVersion(f.Version); err == nil {
			avoid = append(avoid, version)
		}
	}
	if s.req, err = e.conf.request(e.facts, avoid); err != nil {
		return s, err
	}
	s.req.IgnoreWaves = s.req.IgnoreWaves || c.ignoreWaves
	named := !c.version.IsZero() || bundleFile != ""
	if !c.version.IsZero() {
		s.req.Version = c.version
	}
	now := e.present(e.store.memory.Root)
	if s.all, err = m.Candidates(s.req, now); err != nil {
		return s, err
	}
	if bundleFile != "" && c.version.IsZero() {
		s.all, s.req, s.why = e.inBundle(s.all, s.req, bundleFile)
	}
	picked, ok, err := m.Select(s.req, now)
	if err != nil || !ok || s.why != "" {
		return s, err
	}
	version := picked.Release.Version
	if reason, bad := s.failed[version.String()]; bad && !named {
		// The settings name it, and did so before it failed.
		s.why = fmt.Sprintf("%s: it failed on this node: %s", version, reason)
		return s, nil
	}
	s.chosen = &picked.Release
	return s, nil
}

// tell says in a status what there is.
func (s *selection) tell(status *updater.Status) {
	status.AvailableUpdates, status.ChosenUpdate = []string{}, nil
	for _, c := range s.all {
		if c.Refusal == "" {
			status.AvailableUpdates = append(status.AvailableUpdates, c.Release.Version.String())
		}
	}
	status.Waiting = cmp.Or(s.why, waiting(s.all, s.chosen, s.req, s.failed))
}

// waiting says why the newest version, or the one that was asked for, is not the
// chosen one.
func waiting(all []update.Candidate, chosen *update.Release, req update.Request, failed map[string]string) string {
	for _, c := range all {
		v := c.Release.Version
		if chosen != nil && v == chosen.Version || v == req.Running {
			return ""
		}
		if !req.Version.IsZero() && v != req.Version {
			continue
		}
		if c.Refusal == "" {
			return ""
		}
		if reason := failed[v.String()]; reason != "" {
			return fmt.Sprintf("%s: %s: %s", v, c.Refusal, reason)
		}
		return fmt.Sprintf("%s: %s", v, c.Refusal)
	}
	if !req.Version.IsZero() && chosen == nil {
		return fmt.Sprintf("%s is not in the repository", req.Version)
	}
	return ""
}

// inBundle leaves the releases that the bundle has for this node, and asks for them by
// name: who brings a bundle has chosen. Where it has none, it says for whom it is.
func (e *engine) inBundle(all []update.Candidate, req update.Request, bundleFile string) (_ []update.Candidate, _ update.Request, why string) {
	b, err := openBundle(bundleFile)
	if err != nil {
		return nil, req, err.Error()
	}
	defer b.Close()
	var out []update.Candidate
	why = "the bundle has no release for this node"
	for _, c := range all {
		rel := c.Release
		p, ok := rel.Patch(update.RootImage, e.facts.version)
		if b.has(rel.Images.Root) || ok && b.has(p.Target) {
			out = append(out, c)
			req.Version = rel.Version
			continue
		}
		for _, p := range rel.Patches {
			if p.Image == update.RootImage && b.has(p.Target) {
				why = fmt.Sprintf("the bundle is for nodes that run %s, from which it makes %s; this one runs %s", p.From, rel.Version, e.facts.version)
			}
		}
	}
	if len(out) > 0 {
		why = ""
	}
	return out, req, why
}
