package updater

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// migrationsDir is where migrations of settings are left for who needs them.
const migrationsDir = "migrations"

// migrations fetches what leads to the settings of the release, and what leads back
// from those of the version that runs.
func (s *stager) migrations(ctx context.Context) error {
	want := s.wantedMigrations()
	dir, err := rootOf(filepath.Join(s.e.node.dir(), migrationsDir), 0o755)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := errors.Join(dir.Chmod(".", 0o755), keepOnly(dir, want)); err != nil {
		return err
	}
	for version, target := range want {
		if err := s.migration(ctx, dir, version+migrationSuffix, target); err != nil {
			return err
		}
	}
	return nil
}

// wantedMigrations returns the targets with migrations, by the version that each leads
// to.
func (s *stager) wantedMigrations() map[string]string {
	want := map[string]string{}
	if s.rel.Migrations != "" {
		want[s.rel.Version.String()] = s.rel.Migrations
	}
	if now, ok := s.f.manifest.Find(s.e.facts.variant, s.e.facts.arch, s.e.facts.version); ok && now.Migrations != "" {
		want[now.Version.String()] = now.Migrations
	}
	return want
}

const migrationSuffix = ".toml"

func (s *stager) migration(ctx context.Context, dir *os.Root, name, target string) error {
	t, err := s.f.client.Target(ctx, target)
	if err != nil {
		return err
	}
	const most = 1 << 20
	if t.Length > most {
		return fmt.Errorf("%s has %d bytes, want at most %d", target, t.Length, most)
	}
	file, err := s.spool.fetch(ctx, s.f.source, t)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, rep := migration.Parse(target, data); rep.HasErrors() {
		return rep.Err() // the version that boots could not read them either
	}
	return atomicfile.Replace(dir, name, data, atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
}

func keepOnly(dir *os.Root, want map[string]string) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if len(name) > len(migrationSuffix) && want[name[:len(name)-len(migrationSuffix)]] == "" {
			if err := atomicfile.Remove(dir, name); err != nil {
				return err
			}
		}
	}
	return nil
}
