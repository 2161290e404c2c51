// Package repo keeps a repository of updates, signed as The Update Framework
// has it.
//
// A repository is a directory. What nodes fetch is in public, which any server
// of files can offer; changes come together in staged, where those who hold
// offline keys sign them, and become public with a release.
//
//	repository.toml                   how long signatures are valid
//	public/metadata/N.root.json       all root metadata there ever was
//	public/metadata/N.targets.json    what there is to install
//	public/metadata/N.snapshot.json   which of them count together
//	public/metadata/timestamp.json    which snapshot is the newest
//	public/targets/SHA256.NAME        images, and the manifest that lists them
//	public/metadata/N.ROLE.json       what others, to whom it was delegated, have to offer
//	staged/                           the next root.json, targets.json, ROLE.json and targets/
//
// The renaming of timestamp.json is the one point from which nodes see a
// release: whatever it names was written and synced before. A release that was
// cut off is made whole by releasing again.
package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/models/update"
)

// Directories of a repository.
const (
	Public   = "public"
	Metadata = "metadata"
	Targets  = "targets"

	staged = "staged"
	config = "repository.toml"
)

// Lifetimes says how long each role is valid after it was signed.
type Lifetimes struct {
	Root      update.Span `toml:"root"`
	Targets   update.Span `toml:"targets"`
	Snapshot  update.Span `toml:"snapshot"`
	Timestamp update.Span `toml:"timestamp"`
}

// DefaultLifetimes suit offline keys that are fetched a few times a year, and
// a job that refreshes daily.
var DefaultLifetimes = Lifetimes{
	Root:      update.Span(52 * 7 * 24 * time.Hour),
	Targets:   update.Span(26 * 7 * 24 * time.Hour),
	Snapshot:  update.Span(14 * 24 * time.Hour),
	Timestamp: update.Span(7 * 24 * time.Hour),
}

// A Repository is one that this program changes. No other one does meanwhile.
type Repository struct {
	dir       string
	lifetimes Lifetimes
	lock      *os.File
}

// Open opens the repository in dir, when nobody else changes it.
func Open(dir string) (*Repository, error) {
	text, err := os.ReadFile(filepath.Join(dir, config))
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	r := &Repository{dir: dir}
	var file struct {
		Lifetimes Lifetimes `toml:"lifetimes"`
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, config), err)
	}
	r.lifetimes = file.Lifetimes
	if r.lock, err = os.Open(filepath.Join(dir, config)); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(r.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another program changes the repository %s: %w", dir, err), r.lock.Close())
	}
	return r, nil
}

// Close lets others change the repository.
func (r *Repository) Close() error { return r.lock.Close() }

func (r *Repository) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// expiry has no fractions of seconds: the format of TUF has none.
func expiry(now time.Time, life update.Span) time.Time {
	return now.UTC().Truncate(time.Second).Add(time.Duration(life))
}

// nextVersion is the time, so that no counter is to be kept and versions grow
// also where a repository is restored from a copy.
func nextVersion(now time.Time, before int64) int64 { return max(now.Unix(), before+1) }

type root = metadata.Metadata[metadata.RootType]

type targets = metadata.Metadata[metadata.TargetsType]

type snapshot = metadata.Metadata[metadata.SnapshotType]

type timestamp = metadata.Metadata[metadata.TimestampType]

// read returns the metadata in a file, or nil if there is none.
func read[T metadata.Roles](file string) (*metadata.Metadata[T], error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := new(metadata.Metadata[T]).FromBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// A state is what counts in a repository: what nodes see and what comes next.
// Each is nil if there is none.
type state struct {
	root, nextRoot       *root
	targets, nextTargets *targets
	snapshot             *snapshot
	timestamp            *timestamp
	lists, nextLists     map[string]*targets // of delegated roles, by their names
	cut                  bool                // the next root is public, and the rest is not
}

func (r *Repository) load() (state, error) {
	var s state
	var errs [6]error
	s.root, errs[0] = r.newestRoot()
	s.nextRoot, errs[1] = read[metadata.RootType](r.path(staged, "root.json"))
	s.nextTargets, errs[2] = read[metadata.TargetsType](r.path(staged, "targets.json"))
	s.timestamp, errs[3] = read[metadata.TimestampType](r.path(Public, Metadata, "timestamp.json"))
	if s.timestamp != nil {
		s.snapshot, errs[4] = read[metadata.SnapshotType](r.metadataFile(metadata.SNAPSHOT, named(s.timestamp.Signed.Meta, metadata.SNAPSHOT)))
	}
	if s.snapshot != nil {
		s.targets, errs[5] = read[metadata.TargetsType](r.metadataFile(metadata.TARGETS, named(s.snapshot.Signed.Meta, metadata.TARGETS)))
	}
	if err := errors.Join(errs[:]...); err != nil {
		return state{}, err
	}
	if s.timestamp != nil && s.targets == nil {
		return state{}, errors.New("timestamp.json names metadata that is not there: restore it from a copy of the repository")
	}
	if err := r.loadLists(&s); err != nil {
		return state{}, err
	}
	return s, r.resume(&s)
}

// resume goes back to before a release that was cut off after its new root,
// so that it is released again.
func (r *Repository) resume(s *state) error {
	if s.root == nil || s.nextRoot == nil || s.nextRoot.Signed.Version > s.root.Signed.Version {
		return nil
	}
	s.cut = true
	var err error
	s.root, err = read[metadata.RootType](r.metadataFile(metadata.ROOT, s.nextRoot.Signed.Version-1))
	return err
}

// named returns the version of a role that other metadata names, or 0.
func named(meta map[string]*metadata.MetaFiles, role string) int64 {
	if m := meta[role+".json"]; m != nil {
		return m.Version
	}
	return 0
}

func (r *Repository) metadataFile(role string, version int64) string {
	return r.path(Public, Metadata, fmt.Sprintf("%d.%s.json", version, role))
}

// newestRoot returns the root with the highest version, or nil if there is none.
func (r *Repository) newestRoot() (*root, error) {
	versions, err := r.versions(metadata.ROOT)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	return read[metadata.RootType](r.metadataFile(metadata.ROOT, slices.Max(versions)))
}

// versions returns those that the public metadata of a role has files of.
func (r *Repository) versions(role string) ([]int64, error) {
	files, err := os.ReadDir(r.path(Public, Metadata))
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, f := range files {
		number, ok := strings.CutSuffix(f.Name(), "."+role+".json")
		if v, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// effectiveRoot is the one that nodes will know after a release.
func (s state) effectiveRoot() (*root, error) {
	switch {
	case s.nextRoot != nil:
		return s.nextRoot, nil
	case s.root != nil:
		return s.root, nil
	}
	return nil, errors.New("the repository has no root")
}
