package repo

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// prune keeps the snapshots that are valid, the lists of targets that those name,
// and the files that these name.
func (r *Repository) prune(s state, now time.Time) ([]string, error) {
	keepMetadata, keepFiles := map[string]bool{}, map[string]bool{}
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
		if v != s.snapshot.Signed.Version && !m.Signed.Expires.After(now) {
			continue
		}
		keepMetadata[name] = true
		for list, meta := range m.Signed.Meta {
			if err := r.keepList(r.metadataFile(strings.TrimSuffix(list, ".json"), meta.Version), keepMetadata, keepFiles); err != nil {
				return nil, err
			}
		}
	}
	return r.sweep(keepMetadata, keepFiles)
}

// keepList notes a list of targets and the files that it names as kept.
func (r *Repository) keepList(name string, keepMetadata, keepFiles map[string]bool) error {
	m, err := read[metadata.TargetsType](name)
	if err != nil || m == nil { // nil: a release that was cut off before anybody could see it
		return err
	}
	keepMetadata[name] = true
	for target, t := range m.Signed.Targets {
		keepFiles[r.path(Public, Targets, fileName(target, t))] = true
	}
	return nil
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

// isReplaceable reports whether metadata with a later version takes the place of
// a file. Roots stay, and of the timestamp there is one file.
func isReplaceable(name string) bool {
	return strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, "."+metadata.ROOT+".json") && name != metadata.TIMESTAMP+".json"
}
