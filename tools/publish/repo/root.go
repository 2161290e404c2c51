package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// Roles are those that keys can have, and Online those whose keys sign without
// people.
var (
	Roles  = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}
	Online = []string{metadata.SNAPSHOT, metadata.TIMESTAMP}
)

// A RootChange is what the next root metadata has otherwise. An empty one only
// makes it valid for longer.
type RootChange struct {
	Add        map[string][]sign.Key // by role
	Remove     map[string][]string   // ids of keys by role, of which the first characters will do
	Thresholds map[string]int        // how many keys of a role have to sign
}

// Init makes a repository in dir, which must be empty or not be there. Its
// root and an empty manifest are staged; a release publishes them.
func Init(dir string, l Lifetimes, keys RootChange, now time.Time) (err error) {
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return fmt.Errorf("make repository: %s is not empty", dir)
	}
	if min(l.Root, l.Targets, l.Snapshot, l.Timestamp) <= 0 {
		return errors.New("make repository: a lifetime is 0, so nodes would never accept it")
	}
	first := metadata.Root(expiry(now, l.Root))
	if err := change(first, keys); err != nil {
		return err
	}
	for _, sub := range []string{filepath.Join(Public, Metadata), filepath.Join(Public, Targets), filepath.Join(staged, Targets)} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	text, err := toml.Marshal(struct {
		Lifetimes Lifetimes `toml:"lifetimes"`
	}{l})
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, config), text); err != nil {
		return err
	}
	r, err := Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := writeMetadata(r.path(staged, "root.json"), first); err != nil {
		return err
	}
	return r.Renew(now)
}

// ChangeRoot stages the next root metadata, without signatures. Changes that
// are staged already stay.
func (r *Repository) ChangeRoot(c RootChange, now time.Time) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	next, err := s.effectiveRoot()
	if err != nil {
		return err
	}
	if s.cut {
		return errors.New("change root: the last release was cut off after its new root: release again first")
	}
	next.ClearSignatures()
	if s.root != nil {
		next.Signed.Version = s.root.Signed.Version + 1
	}
	next.Signed.Expires = expiry(now, r.lifetimes.Root)
	if err := change(next, c); err != nil {
		return err
	}
	return writeMetadata(r.path(staged, "root.json"), next)
}

func change(m *root, c RootChange) error {
	for _, role := range Roles {
		for _, prefix := range c.Remove[role] {
			if err := remove(m, role, prefix); err != nil {
				return err
			}
		}
		for _, k := range c.Add[role] {
			if err := m.Signed.AddKey(k.Public, role); err != nil {
				return fmt.Errorf("add key %.8s to %s: %w", k.ID, role, err)
			}
		}
		if n, ok := c.Thresholds[role]; ok {
			m.Signed.Roles[role].Threshold = n
		}
		if have, want := len(m.Signed.Roles[role].KeyIDs), m.Signed.Roles[role].Threshold; have < want || want < 1 {
			return fmt.Errorf("role %s has %d keys, and %d of them would have to sign", role, have, want)
		}
	}
	return nil
}

func remove(m *root, role, prefix string) error {
	var ids []string
	for _, id := range m.Signed.Roles[role].KeyIDs {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	if len(ids) != 1 || prefix == "" {
		return fmt.Errorf("%d keys of role %s begin with %q, want one", len(ids), role, prefix)
	}
	return m.Signed.RevokeKey(ids[0], role)
}

// A Progress says how far the signatures of something staged are.
type Progress struct {
	Role    string
	Version int64
	Have    int
	Want    int
	By      string // whose rules want them
}

// Done reports whether the signatures suffice.
func (p Progress) Done() bool { return p.Have >= p.Want }

func (p Progress) String() string {
	return fmt.Sprintf("%s %d: %d of %d signatures by the keys of %s", p.Role, p.Version, p.Have, p.Want, p.By)
}

// Sign adds the signatures of keys to what is staged, of each key where it
// counts, and says how far they are.
func (r *Repository) Sign(ctx context.Context, keys []sign.Key) ([]Progress, error) {
	s, err := r.load()
	if err != nil {
		return nil, err
	}
	return r.sign(ctx, s, keys)
}

func (r *Repository) sign(ctx context.Context, s state, keys []sign.Key) ([]Progress, error) {
	effective, err := s.effectiveRoot()
	if err != nil {
		return nil, err
	}
	var out []Progress
	if s.nextRoot != nil {
		// Nodes walk from root to root: the old keys vouch for the new ones.
		authorities := []*root{s.nextRoot}
		if s.root != nil {
			authorities = []*root{s.root, s.nextRoot}
		}
		if err := signStaged(ctx, r.path(staged, "root.json"), s.nextRoot, metadata.ROOT, authorities, keys); err != nil {
			return nil, err
		}
		for _, a := range authorities {
			out = append(out, progress(a, metadata.ROOT, s.nextRoot.Signed.Version, s.nextRoot.Signatures))
		}
	}
	if s.nextTargets != nil {
		if err := signStaged(ctx, r.path(staged, "targets.json"), s.nextTargets, metadata.TARGETS, s.authorities(), keys); err != nil {
			return nil, err
		}
		out = append(out, progress(effective, metadata.TARGETS, s.nextTargets.Signed.Version, s.nextTargets.Signatures))
	}
	lists, err := r.signLists(ctx, s, keys)
	return append(out, lists...), err
}

// authorities are the roots whose keys may sign for the other roles.
func (s state) authorities() []*root {
	var out []*root
	for _, m := range []*root{s.root, s.nextRoot} {
		if m != nil {
			out = append(out, m)
		}
	}
	return out
}

func progress(authority *root, role string, version int64, signatures []metadata.Signature) Progress {
	of := authority.Signed.Roles[role]
	p := Progress{Role: role, Version: version, Want: of.Threshold, By: fmt.Sprintf("root %d", authority.Signed.Version)}
	p.count(of.KeyIDs, signatures)
	return p
}

func (p *Progress) count(keys []string, signatures []metadata.Signature) {
	for _, s := range signatures {
		if slices.Contains(keys, s.KeyID) {
			p.Have++
		}
	}
}

func signStaged[T metadata.Roles](ctx context.Context, file string, m *metadata.Metadata[T], role string, by []*root, keys []sign.Key) error {
	if n, err := signAs(ctx, m, role, by, keys); err != nil || n == 0 {
		return err
	}
	return writeMetadata(file, m)
}

// signAs signs m with those of keys that have the role in one of the roots.
func signAs[T metadata.Roles](ctx context.Context, m *metadata.Metadata[T], role string, by []*root, keys []sign.Key) (int, error) {
	n := 0
	for _, k := range keys {
		counts := slices.ContainsFunc(by, func(a *root) bool { return slices.Contains(a.Signed.Roles[role].KeyIDs, k.ID) })
		if !counts || !k.CanSign() {
			continue
		}
		if err := sign.Sign(ctx, m, k); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func writeMetadata[T metadata.Roles](file string, m *metadata.Metadata[T]) error {
	data, err := m.ToBytes(true)
	if err != nil {
		return err
	}
	return write(file, append(data, '\n'))
}

// removeStaged is called when a release is public.
func (r *Repository) removeStaged(names ...string) error {
	for _, n := range names {
		if err := os.Remove(r.path(staged, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(r.path(staged))
}
