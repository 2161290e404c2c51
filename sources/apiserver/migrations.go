package apiserver

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

// Where there are migrations of settings.
const (
	imageMigrations   = "usr/share/bulkhead/migrations"
	updaterMigrations = "var/lib/bulkhead/updates/migrations" // of versions that were fetched, verified
)

// openStore opens the settings, which another version may have written. When they
// cannot be brought into the format of this one they are opened for reading: the
// node can be reached, its health says what is wrong, and the version that wrote
// them finds them as they were.
func openStore(o store.Options, image, root string, log *slog.Logger) (*store.Store, error) {
	o.Migrations = ownMigrations(image, log)
	o.Format = o.Migrations.Newest()
	o.OtherMigrations = func() migration.Set { return fetchedMigrations(filepath.Join(root, updaterMigrations), log) }
	st, err := store.Open(o)
	if errors.Is(err, store.ErrNotMigrated) {
		return store.OpenFrozen(o, err)
	}
	return st, err
}

// ownMigrations returns the migrations of the image, or those that this program was
// built with.
func ownMigrations(image string, log *slog.Logger) migration.Set {
	if image == "" {
		return migration.History()
	}
	s, err := readMigrations(filepath.Join(image, imageMigrations), migration.Set.Join)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil: // the image is verified, so this one was made wrong
		log.Error("migrations of the image are not used", "err", err)
	default:
		return s
	}
	return migration.History()
}

// fetchedMigrations returns what the files in dir have together, each of which may
// begin with the first format.
func fetchedMigrations(dir string, log *slog.Logger) migration.Set {
	s, err := readMigrations(dir, func(s, next migration.Set) (migration.Set, error) {
		if next.Newest() > s.Newest() {
			s, next = next, s
		}
		return s.Extend(next), nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("migrations of other versions are not used", "err", err)
	}
	return s
}

// readMigrations reads the files in dir in the order of their names, and puts them
// together by join.
func readMigrations(dir string, join func(s, next migration.Set) (migration.Set, error)) (migration.Set, error) {
	if _, err := os.Stat(dir); err != nil {
		return migration.Set{}, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil {
		return migration.Set{}, err
	}
	var all migration.Set
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return migration.Set{}, err
		}
		next, rep := migration.Parse(name, data)
		if err := rep.Err(); err != nil {
			return migration.Set{}, fmt.Errorf("read %s: %w", name, err)
		}
		if all, err = join(all, next); err != nil {
			return migration.Set{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return all, nil
}
