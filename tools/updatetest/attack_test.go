package updatetest

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// A copied directory is what a server offers that somebody has changed.
func (b *bench) copied() string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "copy")
	b.must(os.CopyFS(dir, os.DirFS(filepath.Join(b.Publisher.Dir, repo.Public))))
	return dir
}

func (b *bench) offer(dir string) {
	h := http.FileServer(http.Dir(dir))
	b.handler.Store(&h)
}

// newest returns the metadata of a role with the highest version, and its file.
func newest[T metadata.Roles](b *bench, dir, role string) (*metadata.Metadata[T], string) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "metadata", "*"+role+".json"))
	if err != nil || len(files) == 0 {
		b.Fatalf("%s in %s: %d files, %v", role, dir, len(files), err)
	}
	file := files[len(files)-1]
	m, err := new(metadata.Metadata[T]).FromFile(file)
	b.must(err)
	return m, file
}

// put signs m with a key in place of all others, and writes it.
func put[T metadata.Roles](b *bench, m *metadata.Metadata[T], file string, keys ...sign.Key) []byte {
	b.Helper()
	m.ClearSignatures()
	for _, k := range keys {
		b.must(sign.Sign(b.Context(), m, k))
	}
	data, err := m.ToBytes(true)
	b.must(err)
	b.must(os.WriteFile(file, data, 0o644))
	return data
}

func described(version int64, data []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(data)
	return &metadata.MetaFiles{Version: version, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// follow signs a timestamp and, if targets are given, a snapshot that lead to what is in
// dir, as whoever has the key of both could.
func (b *bench) follow(dir string, key sign.Key, change func(*metadata.SnapshotType, *metadata.TimestampType)) {
	b.Helper()
	snapshot, _ := newest[metadata.SnapshotType](b, dir, "snapshot")
	timestamp, file := newest[metadata.TimestampType](b, dir, "timestamp")
	snapshot.Signed.Version++
	timestamp.Signed.Version++
	change(&snapshot.Signed, &timestamp.Signed)
	data := put(b, snapshot, filepath.Join(dir, "metadata", fmt.Sprintf("%d.snapshot.json", snapshot.Signed.Version)), key)
	if timestamp.Signed.Meta["snapshot.json"].Version >= 0 {
		timestamp.Signed.Meta["snapshot.json"] = described(snapshot.Signed.Version, data)
	}
	put(b, timestamp, file, key)
}

func alter(t *testing.T, file string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, f(data), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each attack on what a node may install is refused, with what is wrong; the node
// boots what it has; and once the right server answers, with a new key where the old
// one was stolen, it updates.
func TestAttacks(t *testing.T) {
	tests := []struct {
		name, want string
		attack     func(b *bench)
	}{
		{name: "arbitrary software", want: "not signed by enough keys", attack: func(b *bench) {
			other, err := NewPublisher(b.TempDir(), time.Now().Add(-time.Minute))
			b.must(err)
			b.must(other.Publish(b.Context(), b.releases["1.1.0"], repo.Addition{}))
			b.offer(filepath.Join(other.Dir, repo.Public))
		}},
		{name: "an image of somebody else", want: "it is not what was signed", attack: func(b *bench) {
			dir := b.copied()
			files, err := filepath.Glob(filepath.Join(dir, "targets", "*1.1.0-root.erofs"))
			b.must(err)
			alter(b.T, files[0], func(d []byte) []byte { return Image(77, len(d)/4096) })
			b.offer(dir)
		}},
		{name: "rollback of the timestamp", want: "must be >=", attack: func(b *bench) {
			before := b.copied()
			b.must(b.Do(func(r *repo.Repository) error {
				return r.Refresh(b.Context(), b.Named("online"), false, b.Publisher.Now)
			}))
			b.run("refresh")
			b.offer(before)
		}},
		{name: "rollback of the snapshot", want: "new snapshot version", attack: func(b *bench) {
			b.run("refresh")
			dir := b.copied()
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) { s.Version -= 100 })
			b.offer(dir)
		}},
		{name: "rollback of the targets", want: "expected targets.json version", attack: func(b *bench) {
			b.run("refresh")
			dir := b.copied()
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) { s.Meta["targets.json"].Version -= 100 })
			b.offer(dir)
		}},
		{name: "targets that are no longer named", want: "missing info for targets.json", attack: func(b *bench) {
			b.run("refresh")
			dir := b.copied()
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) {
				s.Meta = map[string]*metadata.MetaFiles{"other.json": metadata.MetaFile(1)}
			})
			b.offer(dir)
		}},
		{name: "an expired timestamp", want: "it has expired", attack: func(b *bench) {
			dir := b.copied()
			b.follow(dir, b.Keys["online"], func(_ *metadata.SnapshotType, t *metadata.TimestampType) { t.Expires = time.Now().Add(-time.Hour) })
			b.offer(dir)
		}},
		{name: "an expired snapshot", want: "it has expired", attack: func(b *bench) {
			dir := b.copied()
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) { s.Expires = time.Now().Add(-time.Hour) })
			b.offer(dir)
		}},
		{name: "expired targets", want: "it has expired", attack: func(b *bench) {
			dir := b.copied()
			m, _ := newest[metadata.TargetsType](b, dir, "targets")
			m.Signed.Version++
			m.Signed.Expires = time.Now().Add(-time.Hour)
			data := put(b, m, filepath.Join(dir, "metadata", fmt.Sprintf("%d.targets.json", m.Signed.Version)), b.Keys["targets"])
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) {
				s.Meta["targets.json"] = described(m.Signed.Version, data)
			})
			b.offer(dir)
		}},
		{name: "mix and match", want: "not the file that other metadata names", attack: func(b *bench) {
			dir := b.copied()
			b.must(b.Do(func(r *repo.Repository) error {
				return r.Refresh(b.Context(), b.Named("online"), false, b.Publisher.Now)
			}))
			_, before := newest[metadata.SnapshotType](b, dir, "snapshot")
			late := b.copied()
			_, after := newest[metadata.SnapshotType](b, late, "snapshot")
			data, err := os.ReadFile(before)
			b.must(err)
			b.must(os.WriteFile(after, data, 0o644))
			b.offer(late)
		}},
		{name: "something that nobody signed comes with it", want: "there is no such target", attack: func(b *bench) {
			dir := b.copied()
			m, _ := newest[metadata.TargetsType](b, dir, "targets")
			for name := range m.Signed.Targets {
				if strings.HasSuffix(name, "1.1.0-root.verity") {
					delete(m.Signed.Targets, name)
				}
			}
			m.Signed.Version++
			data := put(b, m, filepath.Join(dir, "metadata", fmt.Sprintf("%d.targets.json", m.Signed.Version)), b.Keys["targets"])
			b.follow(dir, b.Keys["online"], func(s *metadata.SnapshotType, _ *metadata.TimestampType) {
				s.Meta["targets.json"] = described(m.Signed.Version, data)
			})
			b.offer(dir)
		}},
		{name: "a root by too few", want: "not signed by enough keys", attack: func(b *bench) {
			dir := b.copied()
			m, _ := newest[metadata.RootType](b, dir, "root")
			m.Signed.Version++
			put(b, m, filepath.Join(dir, "metadata", fmt.Sprintf("%d.root.json", m.Signed.Version)), b.Keys["root1"])
			b.offer(dir)
		}},
		{name: "a root signed twice by one", want: "multiple signatures", attack: func(b *bench) {
			dir := b.copied()
			m, _ := newest[metadata.RootType](b, dir, "root")
			m.Signed.Version++
			file := filepath.Join(dir, "metadata", fmt.Sprintf("%d.root.json", m.Signed.Version))
			put(b, m, file, b.Keys["root1"])
			m.Signatures = append(m.Signatures, m.Signatures[0])
			data, err := m.ToBytes(true)
			b.must(err)
			b.must(os.WriteFile(file, data, 0o644))
			b.offer(dir)
		}},
		{name: "a root that skips a version", want: "bad version number", attack: func(b *bench) {
			dir := b.copied()
			m, _ := newest[metadata.RootType](b, dir, "root")
			m.Signed.Version += 5
			put(b, m, filepath.Join(dir, "metadata", "2.root.json"), b.Keys["root1"], b.Keys["root2"])
			b.offer(dir)
		}},
		{name: "metadata without what it needs", want: "it is no metadata", attack: func(b *bench) {
			dir := b.copied()
			b.must(os.WriteFile(filepath.Join(dir, "metadata", "timestamp.json"), []byte(`{"signatures": [], "signed": {"_type": "timestamp", "meta": {"snapshot.json": null}}}`), 0o644))
			b.offer(dir)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tt.attack(b)
			b.wantFailure(tt.want)
			b.serve(nil)
			b.rotate("online", "online2") // for those who had the key
			b.run("apply")
			b.wantNext("1.1.0")
		})
	}
}

// rotate replaces the key of the online roles.
func (b *bench) rotate(from, to string) {
	b.Helper()
	b.must(b.NewKey(b.TempDir(), to))
	b.must(b.Do(func(r *repo.Repository) error {
		c := repo.RootChange{Add: map[string][]sign.Key{}, Remove: map[string][]string{}}
		for _, role := range repo.Online {
			c.Add[role], c.Remove[role] = b.Named(to), []string{b.Keys[from].ID}
		}
		return r.ChangeRoot(c, b.Publisher.Now)
	}))
	b.must(b.Release(b.Context(), "root1", "root2", "targets", to))
}

// Keys that are stolen and replaced are of no use any more; and what was signed with
// them to keep nodes from the future is forgotten.
func TestStolenKeys(t *testing.T) {
	b := newBench(t)
	b.run("refresh")
	stolen := b.copied()
	far := time.Now().AddDate(0, 0, 3).Unix()
	b.follow(stolen, b.Keys["online"], func(s *metadata.SnapshotType, t *metadata.TimestampType) { s.Version, t.Version = far, far })
	b.offer(stolen)
	b.run("refresh") // it is rightly signed: the key is stolen
	b.serve(nil)
	b.wantFailure("must be >=")

	b.rotate("online", "online2")
	b.run("refresh") // the new root makes an end of it
	late := b.copied()
	b.follow(late, b.Keys["online"], func(*metadata.SnapshotType, *metadata.TimestampType) {})
	b.offer(late)
	b.wantFailure("not signed by enough keys")
	b.serve(nil)
	b.run("apply")
	b.wantNext("1.1.0")
}

// A node that was off for long goes through all roots that there were.
func TestManyRoots(t *testing.T) {
	b := newBench(t)
	dir := b.copied()
	m, _ := newest[metadata.RootType](b, dir, "root")
	for range 300 {
		m.Signed.Version++
		put(b, m, filepath.Join(dir, "metadata", fmt.Sprintf("%d.root.json", m.Signed.Version)), b.Keys["root1"], b.Keys["root2"])
	}
	b.offer(dir)
	b.run("apply")
	b.wantNext("1.1.0")
	kept, _ := newest[metadata.RootType](b, b.path("private/updates"), "root")
	if kept.Signed.Version != 301 {
		t.Errorf("the node trusts root %d, want 301", kept.Signed.Version)
	}
	// The image of an older release has the first root, which is not gone back to.
	b.serve(nil)
	b.must(b.Do(func(r *repo.Repository) error {
		return r.Refresh(b.Context(), b.Named("online"), false, b.Publisher.Now)
	}))
	b.run("refresh")
	kept, _ = newest[metadata.RootType](b, b.path("private/updates"), "root")
	if kept.Signed.Version != 301 {
		t.Errorf("after another refresh the node trusts root %d, want 301", kept.Signed.Version)
	}
}
