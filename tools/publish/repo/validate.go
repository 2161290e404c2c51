package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/bulkhead-os/bulkhead/models/update"
)

// A Role is metadata that a node accepts.
type Role struct {
	Name    string
	Version int64
	Expires time.Time
}

// A View is a repository as a node sees it.
type View struct {
	Roles    []Role
	Manifest update.Manifest
	Targets  map[string]*metadata.TargetFiles
	metadata []file // in the order in which a node asks for it
	source   Source
}

// View does what a node does that trusts the root metadata, or the first one
// of the repository where that is nil.
func (s Source) View(ctx context.Context, trusted []byte, now time.Time) (*View, error) {
	v := &View{source: s}
	t, err := v.roots(ctx, trusted)
	if err != nil {
		return nil, err
	}
	t.RefTime = now
	if err := v.follow(ctx, t); err != nil {
		return nil, err
	}
	target := v.Targets[update.ManifestTarget]
	if target == nil {
		return nil, errors.New("the repository has no manifest")
	}
	var data bytes.Buffer
	if err := v.copy(ctx, update.ManifestTarget, &data); err != nil {
		return nil, err
	}
	v.Manifest, err = update.ParseManifest(data.Bytes())
	return v, err
}

// roots walks from the trusted root to the newest.
func (v *View) roots(ctx context.Context, trusted []byte) (*trustedmetadata.TrustedMetadata, error) {
	if trusted == nil {
		var err error
		if trusted, err = v.fetch(ctx, "1.root.json"); err != nil {
			return nil, err
		}
	}
	t, err := trustedmetadata.New(trusted)
	if err != nil {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	for {
		name := fmt.Sprintf("%d.root.json", t.Root.Signed.Version+1)
		data, err := v.fetch(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if _, err := t.UpdateRoot(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (v *View) fetch(ctx context.Context, name string) ([]byte, error) {
	data, err := v.source.metadata(ctx, name)
	if err == nil {
		v.metadata = append(v.metadata, file{path.Join(Metadata, name), data})
	}
	return data, err
}

// follow goes from the timestamp to the targets.
func (v *View) follow(ctx context.Context, t *trustedmetadata.TrustedMetadata) error {
	steps := []struct {
		name   func() string
		accept func([]byte) error
	}{
		{func() string { return "timestamp.json" }, func(b []byte) error { _, err := t.UpdateTimestamp(b); return err }},
		{
			func() string {
				return fmt.Sprintf("%d.snapshot.json", named(t.Timestamp.Signed.Meta, metadata.SNAPSHOT))
			},
			func(b []byte) error { _, err := t.UpdateSnapshot(b, false); return err },
		},
		{
			func() string { return fmt.Sprintf("%d.targets.json", named(t.Snapshot.Signed.Meta, metadata.TARGETS)) },
			func(b []byte) error { _, err := t.UpdateTargets(b); return err },
		},
	}
	for _, s := range steps {
		name := s.name()
		data, err := v.fetch(ctx, name)
		if err != nil {
			return err
		}
		if err := s.accept(data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	listed := t.Targets[metadata.TARGETS].Signed
	v.Targets = listed.Targets
	v.Roles = []Role{
		{metadata.ROOT, t.Root.Signed.Version, t.Root.Signed.Expires},
		{metadata.TARGETS, listed.Version, listed.Expires},
		{metadata.SNAPSHOT, t.Snapshot.Signed.Version, t.Snapshot.Signed.Expires},
		{metadata.TIMESTAMP, t.Timestamp.Signed.Version, t.Timestamp.Signed.Expires},
	}
	return v.followDelegations(ctx, t)
}

// followDelegations takes up what others have to offer. A name that a role may
// not sign for is not found by nodes, so it is an error here.
func (v *View) followDelegations(ctx context.Context, t *trustedmetadata.TrustedMetadata) error {
	v.Targets = maps.Clone(v.Targets)
	for _, d := range delegated(t.Targets[metadata.TARGETS]) {
		name := fmt.Sprintf("%d.%s.json", named(t.Snapshot.Signed.Meta, d.Name), d.Name)
		data, err := v.fetch(ctx, name)
		if err != nil {
			return err
		}
		m, err := t.UpdateDelegatedTargets(data, d.Name, metadata.TARGETS)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		v.Roles = append(v.Roles, Role{d.Name, m.Signed.Version, m.Signed.Expires})
		for target, file := range m.Signed.Targets {
			if !matches(d.Paths, target) || v.Targets[target] != nil {
				return fmt.Errorf("%s: the role may not sign for %s", name, target)
			}
			v.Targets[target] = file
		}
	}
	return nil
}

// Expiring returns the roles that are not valid until then, the first to
// expire first. It does not fetch targets, and is not stopped by what has
// expired already.
func (s Source) Expiring(ctx context.Context, trusted []byte, until time.Time) ([]Role, error) {
	v := &View{source: s}
	t, err := v.roots(ctx, trusted)
	if err != nil {
		return nil, err
	}
	t.RefTime = time.Time{} // nothing has expired at that time
	if err := v.follow(ctx, t); err != nil {
		return nil, err
	}
	soon := slices.DeleteFunc(v.Roles, func(r Role) bool { return r.Expires.After(until) })
	slices.SortStableFunc(soon, func(a, b Role) int { return a.Expires.Compare(b.Expires) })
	return soon, nil
}

// CheckTargets fetches every target and compares it with the metadata, and
// checks that the manifest names only what is there. It returns how many targets
// and bytes that were. Of a bundle, which has what one release needs, it checks
// what is in it.
func (v *View) CheckTargets(ctx context.Context, bundle bool) (targets int, size int64, err error) {
	faults := []error{draft{manifest: v.Manifest, targets: v.Targets}.check()}
	for _, name := range slices.Sorted(maps.Keys(v.Targets)) {
		err := v.copy(ctx, name, io.Discard)
		if bundle && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		faults = append(faults, err)
		targets, size = targets+1, size+v.Targets[name].Length
	}
	return targets, size, errors.Join(faults...)
}

// copy writes the target name to w, and verifies what it wrote.
func (v *View) copy(ctx context.Context, name string, w io.Writer) error {
	t := v.Targets[name]
	in, err := v.source(ctx, path.Join(Targets, fileName(name, t)))
	if err != nil {
		return fmt.Errorf("target %s: %w", name, err)
	}
	defer in.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(in, t.Length+1))
	switch {
	case err != nil:
		return fmt.Errorf("target %s: %w", name, err)
	case n != t.Length:
		return fmt.Errorf("target %s has %s bytes, want %d", name, count(n, t.Length), t.Length)
	case !bytes.Equal(hash.Sum(nil), t.Hashes["sha256"]):
		return fmt.Errorf("target %s is not what was signed", name)
	}
	return nil
}

func count(n, limit int64) string {
	if n > limit {
		return "more"
	}
	return fmt.Sprint(n)
}
