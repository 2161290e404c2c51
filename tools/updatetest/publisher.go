package updatetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// A Publisher has a repository with one key for each role, and a root that two keys
// sign.
type Publisher struct {
	Dir  string // the repository
	Keys map[string]sign.Key
	Now  time.Time // goes on with each change
}

// NewPublisher makes a repository below dir.
func NewPublisher(dir string, now time.Time) (*Publisher, error) {
	p := &Publisher{Dir: filepath.Join(dir, "repository"), Keys: map[string]sign.Key{}, Now: now.Truncate(time.Second)}
	for _, name := range []string{"root1", "root2", "targets", "online"} {
		if err := p.NewKey(dir, name); err != nil {
			return nil, err
		}
	}
	return p, repo.Init(p.Dir, repo.DefaultLifetimes, repo.RootChange{
		Add: map[string][]sign.Key{
			"root": p.Named("root1", "root2"), "targets": p.Named("targets"), "snapshot": p.Named("online"), "timestamp": p.Named("online"),
		},
		Thresholds: map[string]int{"root": 2},
	}, p.Now)
}

// NewKey makes a key with a name, in a file in dir.
func (p *Publisher) NewKey(dir, name string) error {
	k, err := sign.Generate(filepath.Join(dir, name+".key"), sign.Ed25519)
	p.Keys[name] = k
	return err
}

// Named returns the keys with these names.
func (p *Publisher) Named(names ...string) []sign.Key {
	var out []sign.Key
	for _, n := range names {
		out = append(out, p.Keys[n])
	}
	return out
}

// Do changes the repository.
func (p *Publisher) Do(f func(*repo.Repository) error) error {
	p.Now = p.Now.Add(time.Second)
	r, err := repo.Open(p.Dir)
	// A program that is just being started by somebody else in this process has the lock
	// as well, until it is itself.
	for end := time.Now().Add(time.Minute); errors.Is(err, syscall.EWOULDBLOCK) && time.Now().Before(end); {
		runtime.Gosched()
		r, err = repo.Open(p.Dir)
	}
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.Close())
}

// Publish adds a release as a, with its image, and makes it public.
func (p *Publisher) Publish(ctx context.Context, r Release, a repo.Addition) error {
	a.Image, a.Arch = r.Dir, "x86_64"
	if err := p.Do(func(rep *repo.Repository) error { _, err := rep.Add(ctx, a, p.Now); return err }); err != nil {
		return err
	}
	return p.Release(ctx, "root1", "root2", "targets", "online")
}

// Release makes public what is staged, signed with the keys that have these names.
func (p *Publisher) Release(ctx context.Context, keys ...string) error {
	return p.Do(func(rep *repo.Repository) error { return rep.Release(ctx, p.Named(keys...), p.Now) })
}

// Root returns the first root, which an image has.
func (p *Publisher) Root() ([]byte, error) {
	return os.ReadFile(filepath.Join(p.Dir, repo.Public, repo.Metadata, "1.root.json"))
}

// Public returns the name of a public file.
func (p *Publisher) Public(name string) string { return filepath.Join(p.Dir, repo.Public, name) }
