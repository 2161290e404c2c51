package repo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// Release signs with keys and publishes what is staged. Nodes see all of it or
// nothing.
func (r *Repository) Release(ctx context.Context, keys []sign.Key, now time.Time) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	if s.nextRoot == nil && s.nextTargets == nil && len(s.nextLists) == 0 {
		return errors.New("nothing is staged")
	}
	missing, err := r.sign(ctx, s, keys)
	if err != nil {
		return err
	}
	for _, p := range missing {
		if !p.Done() {
			return fmt.Errorf("not released: %s", p)
		}
	}
	return r.publish(ctx, s, keys, now)
}

// Refresh signs the snapshot and the timestamp anew, so that what is public
// stays valid. Nothing that is staged becomes public. It refuses when they
// have expired, unless expired is set: nodes took this for an attack, and
// somebody should know why it came to that.
func (r *Repository) Refresh(ctx context.Context, keys []sign.Key, expired bool, now time.Time) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	if s.timestamp == nil {
		return errors.New("nothing has been released yet")
	}
	if s.cut {
		s.root = s.nextRoot
	}
	s.nextRoot, s.nextTargets, s.nextLists = nil, nil, nil
	if t := s.timestamp.Signed.Expires; !expired && t.Before(now) {
		return fmt.Errorf("the timestamp expired on %s, and nodes have refused the repository since", t.Format(time.RFC3339))
	}
	if t := s.targets.Signed.Expires; t.Before(now) {
		return fmt.Errorf("the targets expired on %s: stage them anew and sign them", t.Format(time.RFC3339))
	}
	return r.publish(ctx, s, keys, now)
}

// A set is metadata that belongs together.
type set struct {
	root      *root
	targets   *targets
	snapshot  *snapshot
	timestamp *timestamp
	listed    []*targets // of delegated roles
	lists     []file     // the same, written before all others
	files     [3]file    // in the order of writing, the timestamp last
}

type file struct {
	path string
	data []byte
}

func (r *Repository) publish(ctx context.Context, s state, keys []sign.Key, now time.Time) error {
	m, err := r.assemble(ctx, s, keys, now)
	if err != nil {
		return err
	}
	if err := m.verify(m.root); err != nil {
		return fmt.Errorf("not released: %w", err)
	}
	for _, t := range append([]*targets{m.targets}, m.listed...) {
		if err := r.publishFiles(t); err != nil {
			return err
		}
	}
	// Where the old keys have signed as well, nodes follow before and after the
	// new root. Otherwise the root comes first: who knows only the old keys
	// would refuse the rest.
	late := s.root != nil && s.nextRoot != nil && m.verify(s.root) == nil
	if !late {
		if err := r.publishRoot(s); err != nil {
			return err
		}
	}
	for _, f := range append(slices.Clone(m.lists), m.files[:]...) {
		if err := write(f.path, f.data); err != nil {
			return err
		}
	}
	if late {
		if err := r.publishRoot(s); err != nil {
			return err
		}
	}
	return r.finish(s)
}

func (r *Repository) publishRoot(s state) error {
	if s.nextRoot == nil {
		return nil
	}
	return writeMetadata(r.metadataFile(metadata.ROOT, s.nextRoot.Signed.Version), s.nextRoot)
}

// finish takes away what was staged and is public now, and the files of
// targets that were replaced before they came to be public.
func (r *Repository) finish(s state) error {
	var names []string
	for role := range s.nextLists {
		names = append(names, role+".json")
	}
	if s.nextTargets != nil {
		names = append(names, "targets.json")
	}
	if s.nextTargets != nil || len(s.nextLists) > 0 {
		files, err := os.ReadDir(r.path(staged, Targets))
		if err != nil {
			return err
		}
		for _, f := range files {
			names = append(names, filepath.Join(Targets, f.Name()))
		}
	}
	if s.nextRoot != nil {
		names = append(names, "root.json")
	}
	return r.removeStaged(names...)
}

func (r *Repository) assemble(ctx context.Context, s state, keys []sign.Key, now time.Time) (set, error) {
	effective, err := s.effectiveRoot()
	if err != nil {
		return set{}, err
	}
	m := set{root: effective, targets: s.targets}
	if s.nextTargets != nil {
		m.targets = s.nextTargets
	}
	if m.targets == nil {
		return set{}, errors.New("there are no targets: stage them first")
	}
	if m.files[0], err = r.targetsFile(s, m.targets); err != nil {
		return set{}, err
	}
	m.snapshot = metadata.Snapshot(expiry(now, r.lifetimes.Snapshot))
	m.snapshot.Signed.Version = nextVersion(now, s.snapshotVersion())
	m.snapshot.Signed.Meta["targets.json"] = metaFile(m.targets.Signed.Version, m.files[0].data)
	if err := r.assembleLists(s, &m); err != nil {
		return set{}, err
	}
	if _, err := signAs(ctx, m.snapshot, metadata.SNAPSHOT, s.authorities(), keys); err != nil {
		return set{}, err
	}
	data, err := m.snapshot.ToBytes(true)
	if err != nil {
		return set{}, err
	}
	m.files[1] = file{r.metadataFile(metadata.SNAPSHOT, m.snapshot.Signed.Version), data}
	err = r.assembleTimestamp(ctx, s, &m, keys, now)
	return m, err
}

func (r *Repository) assembleTimestamp(ctx context.Context, s state, m *set, keys []sign.Key, now time.Time) error {
	before := int64(0)
	if s.timestamp != nil {
		before = s.timestamp.Signed.Version
	}
	m.timestamp = metadata.Timestamp(expiry(now, r.lifetimes.Timestamp))
	m.timestamp.Signed.Version = nextVersion(now, before)
	m.timestamp.Signed.Meta["snapshot.json"] = metaFile(m.snapshot.Signed.Version, m.files[1].data)
	if _, err := signAs(ctx, m.timestamp, metadata.TIMESTAMP, s.authorities(), keys); err != nil {
		return err
	}
	data, err := m.timestamp.ToBytes(true)
	m.files[2] = file{r.path(Public, Metadata, "timestamp.json"), data}
	return err
}

func (s state) snapshotVersion() int64 {
	if s.snapshot == nil {
		return 0
	}
	return s.snapshot.Signed.Version
}

// targetsFile returns the file that targets become, in the bytes that are
// public already if they are: nodes may have those.
func (r *Repository) targetsFile(s state, t *targets) (file, error) {
	name := r.metadataFile(metadata.TARGETS, t.Signed.Version)
	if s.nextTargets == nil {
		data, err := os.ReadFile(name)
		return file{name, data}, err
	}
	data, err := t.ToBytes(true)
	return file{name, data}, err
}

func metaFile(version int64, data []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(data)
	return &metadata.MetaFiles{Version: version, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// verify reports whether nodes that trust authority accept all of m.
func (m set) verify(authority *root) error {
	return errors.Join(
		authority.VerifyDelegate(metadata.TARGETS, m.targets),
		authority.VerifyDelegate(metadata.SNAPSHOT, m.snapshot),
		authority.VerifyDelegate(metadata.TIMESTAMP, m.timestamp),
	)
}

// Prune removes metadata that expired before now and was replaced, and files
// that no metadata names which is left. Nodes refuse expired metadata, so what
// a node may still be fetching stays. All roots stay, for nodes that were off
// for long.
func (r *Repository) Prune(now time.Time) (removed []string, err error) {
	s, err := r.load()
	if err != nil {
		return nil, err
	}
	if s.timestamp == nil {
		return nil, errors.New("nothing has been released yet")
	}
	return r.prune(s, now)
}
