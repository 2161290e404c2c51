package repo

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// prune keeps the snapshots that are valid, the targets that those name, and
// the files that these name.
func (r *Repository) prune(s state, now time.Time) ([]string, error) {
	keepMetadata := map[string]bool{}
	keepTargets := map[int64]bool{s.targets.Signed.Version: true}
	versions, err := r.versions(metadata.SNAPSHOT)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		name := r.metadataFile(metadata.SNAPSHOT, v)
		m, err := read[metadata.SnapshotType](name)
		if err != nil {
			return nil, err
		}
		if v == s.snapshot.Signed.Version || m != nil && m.Signed.Expires.After(now) {
			keepMetadata[name] = true
			keepTargets[named(m.Signed.Meta, metadata.TARGETS)] = true
		}
	}
	keepFiles, err := r.named(keepTargets)
	if err != nil {
		return nil, err
	}
	for v := range keepTargets {
		keepMetadata[r.metadataFile(metadata.TARGETS, v)] = true
	}
	return r.sweep(keepMetadata, keepFiles)
}

// named returns the files that targets metadata of the versions names.
func (r *Repository) named(versions map[int64]bool) (map[string]bool, error) {
	files := map[string]bool{}
	for v := range versions {
		m, err := read[metadata.TargetsType](r.metadataFile(metadata.TARGETS, v))
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue // a release that was cut off before anybody could see it
		}
		for name, t := range m.Signed.Targets {
			files[r.path(Public, Targets, fileName(name, t))] = true
		}
	}
	return files, nil
}

// sweep removes replaced metadata and targets that are not among those kept.
func (r *Repository) sweep(keep ...map[string]bool) ([]string, error) {
	var removed []string
	for _, dir := range []string{Metadata, Targets} {
		files, err := os.ReadDir(r.path(Public, dir))
		if err != nil {
			return removed, err
		}
		for _, f := range files {
			name := r.path(Public, dir, f.Name())
			if keep[0][name] || keep[1][name] || dir == Metadata && !isReplaceable(f.Name()) {
				continue
			}
			if err := os.Remove(name); err != nil {
				return removed, err
			}
			removed = append(removed, f.Name())
		}
	}
	return removed, errors.Join(syncDir(r.path(Public, Metadata)), syncDir(r.path(Public, Targets)))
}

func isReplaceable(name string) bool {
	return strings.HasSuffix(name, ".snapshot.json") || strings.HasSuffix(name, ".targets.json")
}
