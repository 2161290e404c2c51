package image

import (
	"fmt"
	"os"
	"path"

	"github.com/bulkhead-os/bulkhead/models/migration"
)

// MigrationsFile has, in the directory of an image, the migrations of settings that
// it carries. It is not there when there are none.
const MigrationsFile = "migrations.toml"

// addMigrations adds what leads settings of earlier versions to this one.
func (b *builder) addMigrations() error {
	name, data := migration.HistoryFile, migration.HistoryTOML()
	if b.opt.Migrations != "" {
		var err error
		name = b.opt.Migrations
		if data, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	set, rep := migration.Parse(name, data)
	if err := rep.Err(); err != nil {
		return err
	}
	if err := set.Complete(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if set.Newest() == 1 {
		if err := os.Remove(b.out(MigrationsFile)); err != nil && !os.IsNotExist(err) { // of an earlier build
			return err
		}
		return nil
	}
	b.contents.file(path.Join(shareDir, "migrations", migration.HistoryFile), data, 0o644)
	return os.WriteFile(b.out(MigrationsFile), data, 0o644)
}
