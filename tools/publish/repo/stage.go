package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/models/update"
)

// A draft is what the next release lists.
type draft struct {
	manifest update.Manifest
	targets  map[string]*metadata.TargetFiles

	delegations *metadata.Delegations
}

// draft returns what is staged, or what is public where nothing is staged.
func (r *Repository) draft(s state) (draft, error) {
	from := s.effectiveTargets()
	if from == nil {
		return draft{manifest: update.Manifest{Updates: []update.Release{}}, targets: map[string]*metadata.TargetFiles{}}, nil
	}
	d := draft{targets: maps.Clone(from.Signed.Targets), delegations: from.Signed.Delegations}
	target := d.targets[update.ManifestTarget]
	if target == nil {
		return draft{}, errors.New("the repository has no manifest")
	}
	name := fileName(update.ManifestTarget, target)
	data, err := os.ReadFile(r.path(staged, Targets, name))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(r.path(Public, Targets, name))
	}
	if err != nil {
		return draft{}, err
	}
	if err := target.VerifyLengthHashes(data); err != nil {
		return draft{}, fmt.Errorf("manifest: %w", err)
	}
	d.manifest, err = update.ParseManifest(data)
	return d, err
}

// edit stages what f makes of the draft, or only tries it. It takes away all
// signatures of targets that were staged.
func (r *Repository) edit(now time.Time, dry bool, f func(*draft) error) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	d, err := r.draft(s)
	if err != nil {
		return err
	}
	if err := f(&d); err != nil {
		return err
	}
	if err := d.check(); err != nil || dry {
		return err
	}
	text, err := d.manifest.Bytes()
	if err != nil {
		return err
	}
	d.targets[update.ManifestTarget], err = store(r.path(staged, Targets), update.ManifestTarget, bytes.NewReader(text))
	if err != nil {
		return err
	}
	next := metadata.Targets(expiry(now, r.lifetimes.Targets))
	next.Signed.Version = nextVersion(now, s.newestTargets())
	next.Signed.Targets, next.Signed.Delegations = d.targets, d.delegations
	return writeMetadata(r.path(staged, "targets.json"), next)
}

func (s state) newestTargets() int64 {
	newest := int64(0)
	for _, t := range []*targets{s.targets, s.nextTargets} {
		if t != nil {
			newest = max(newest, t.Signed.Version)
		}
	}
	return newest
}

func (d draft) check() error {
	if err := d.manifest.Check(); err != nil {
		return err
	}
	for _, rel := range d.manifest.Updates {
		for _, name := range rel.Targets() {
			if d.targets[name] == nil {
				return fmt.Errorf("%s names the target %s, which is not there", rel.Name(), name)
			}
		}
	}
	return d.checkDelegations()
}

// Renew stages the targets as they are, to be valid for longer.
func (r *Repository) Renew(now time.Time) error {
	return r.edit(now, false, func(*draft) error { return nil })
}

// A Selector names a release.
type Selector struct {
	Variant, Arch string
	Version       update.Version
}

func (d *draft) release(s Selector) (*update.Release, error) {
	for i := range d.manifest.Updates {
		if r := &d.manifest.Updates[i]; r.Variant == s.Variant && r.Arch == s.Arch && r.Version == s.Version {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no release %s %s %s", s.Variant, s.Arch, s.Version)
}

// SetWaves stages another roll-out of a release.
func (r *Repository) SetWaves(s Selector, w update.Waves, now time.Time) error {
	return r.edit(now, false, func(d *draft) error {
		rel, err := d.release(s)
		if err != nil {
			return err
		}
		rel.Waves = w
		return nil
	})
}

// Hold stages that nobody is offered a release who was not by now.
func (r *Repository) Hold(s Selector, now time.Time) error {
	return r.edit(now, false, func(d *draft) error {
		rel, err := d.release(s)
		if err != nil {
			return err
		}
		if rel.Waves.Share(now) == 1 {
			return fmt.Errorf("every node has been offered %s: withdraw it instead, or lower the highest version", rel.Name())
		}
		rel.Waves = rel.Waves.Hold(now)
		return nil
	})
}

// Limit stages the highest version that nodes of the variant should run. Those
// that run a higher one are offered an older one.
func (r *Repository) Limit(s Selector, now time.Time) error {
	return r.edit(now, false, func(d *draft) error {
		if _, err := d.release(s); err != nil {
			return err
		}
		d.limit(s)
		return nil
	})
}

func (d *draft) limit(s Selector) {
	for i := range d.manifest.Updates {
		if r := &d.manifest.Updates[i]; r.Variant == s.Variant && r.Arch == s.Arch {
			r.MaxVersion = s.Version
		}
	}
}

// Deny stages that nobody is offered a release any longer.
func (r *Repository) Deny(s Selector, reason string, now time.Time) error {
	return r.edit(now, false, func(d *draft) error {
		if _, err := d.release(s); err != nil {
			return err
		}
		d.manifest.Denied = append(d.manifest.Denied, update.Denial{Variant: s.Variant, Arch: s.Arch, Version: s.Version, Reason: reason})
		return nil
	})
}

// Retire stages that a release is no longer there, nor the patches from it. It
// refuses where nodes that are behind would then not get as far as before.
func (r *Repository) Retire(s Selector, now time.Time) error {
	return r.edit(now, false, func(d *draft) error {
		rel, err := d.release(s)
		if err != nil {
			return err
		}
		if rel.Floor {
			return fmt.Errorf("%s has to run on every node before newer ones, and stays", rel.Name())
		}
		without := d.without(*rel)
		if err := stranded(d.manifest, without.manifest, s); err != nil {
			return err
		}
		*d = without
		return nil
	})
}

func (d *draft) without(rel update.Release) draft {
	out := draft{manifest: update.Manifest{Updates: []update.Release{}, Denied: d.manifest.Denied}, targets: maps.Clone(d.targets), delegations: d.delegations}
	for _, name := range rel.Targets() {
		delete(out.targets, name)
	}
	for _, r := range d.manifest.Updates {
		if r.Name() != rel.Name() {
			out.manifest.Updates = append(out.manifest.Updates, r)
		}
	}
	out.withoutPatchesFrom(Selector{rel.Variant, rel.Arch, rel.Version})
	return out
}

// stranded says which nodes would not get as far as before.
func stranded(before, after update.Manifest, s Selector) error {
	oldest, err := update.ParseVersion("0.0.0-0")
	if err != nil {
		return err
	}
	running, channels := []update.Version{oldest}, []string{""}
	for _, r := range before.Of(s.Variant, s.Arch) {
		running, channels = append(running, r.Version), append(channels, r.Channels...)
	}
	for _, c := range channels {
		for _, v := range running {
			if end := last(before.Path(s.Variant, s.Arch, c, v), v); end != last(after.Path(s.Variant, s.Arch, c, v), v) {
				return fmt.Errorf("without %s %s %s, nodes with %s would not come to %s", s.Variant, s.Arch, s.Version, v, end)
			}
		}
	}
	return nil
}

func last(path []update.Version, otherwise update.Version) update.Version {
	if len(path) == 0 {
		return otherwise
	}
	return path[len(path)-1]
}
