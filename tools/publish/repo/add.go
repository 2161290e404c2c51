package repo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/image"
)

// An Addition is a release to be.
type Addition struct {
	Image      string // the directory that shipyard build made
	Arch       string
	Waves      update.Waves
	MinVersion update.Version
	Floor      bool
	Notes      string
	CVEs       []update.CVE
	Migrations string // file; empty for those that the image carries, if any
	Channels   []string
	Patching   // patches from releases that are there
}

// Add stages the image in a directory as a release. It becomes the highest
// version of its variant, unless there is a higher one.
func (r *Repository) Add(ctx context.Context, a Addition, now time.Time) (update.Release, error) {
	if carried := filepath.Join(a.Image, image.MigrationsFile); a.Migrations == "" && exists(carried) {
		a.Migrations = carried
	}
	rel, err := a.release(now)
	if err != nil {
		return update.Release{}, fmt.Errorf("add image %s: %w", a.Image, err)
	}
	files := a.files(rel)
	err = r.edit(now, a.DryRun, func(d *draft) error {
		if _, there := d.manifest.Find(rel.Variant, rel.Arch, rel.Version); there {
			return fmt.Errorf("%s is there already, and a version never changes", rel.Name())
		}
		if others := d.manifest.Of(rel.Variant, rel.Arch); len(others) > 0 && others[0].MaxVersion.Compare(rel.Version) > 0 {
			rel.MaxVersion = others[0].MaxVersion
		}
		for name, file := range files {
			if d.targets[name], err = r.keepFile(name, file, a.DryRun); err != nil {
				return err
			}
		}
		if d.targets[rel.Images.BootBlocks], err = r.keepBlocks(rel.Images.BootBlocks, files[rel.Images.Boot], a.DryRun); err != nil {
			return err
		}
		open := func(target string) (*os.File, error) { return os.Open(files[target]) }
		if err := r.patch(ctx, d, &rel, a.Patching, open); err != nil {
			return err
		}
		d.manifest.Updates = append(d.manifest.Updates, rel)
		d.limit(Selector{rel.Variant, rel.Arch, rel.MaxVersion})
		return nil
	})
	return rel, err
}

// release returns the entry of the manifest for a.
func (a Addition) release(now time.Time) (update.Release, error) {
	var m image.Manifest
	text, err := os.ReadFile(filepath.Join(a.Image, image.ManifestFile))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return update.Release{}, err
	}
	v, err := update.ParseVersion(m.Version)
	if err != nil {
		return update.Release{}, err
	}
	if err := a.check(m); err != nil {
		return update.Release{}, err
	}
	base := m.Variant + "-" + a.Arch + "-" + m.Version
	rel := update.Release{
		Variant: m.Variant, Arch: a.Arch, Version: v, MaxVersion: v, MinVersion: a.MinVersion, Floor: a.Floor, Waves: a.Waves, Channels: a.Channels,
		Images:   update.Images{Boot: base + "-uki.efi", Root: base + "-root.erofs", Hash: base + "-root.verity", BootBlocks: base + "-uki.blocks"},
		RootHash: m.RootHash, Notes: a.Notes, CVEs: a.CVEs, Published: now.UTC().Format(time.RFC3339),
	}
	if a.Migrations != "" {
		rel.Migrations = base + "-migrations.toml"
	}
	return rel, nil
}

// check finds files that are not of one build, which no node could boot, and
// migrations that nobody could read.
func (a Addition) check(m image.Manifest) error {
	if m.Variant == "" || m.RootHash == "" {
		return fmt.Errorf("%s names no variant or no root hash", image.ManifestFile)
	}
	uki, err := os.ReadFile(filepath.Join(a.Image, image.UKIFile))
	if err != nil {
		return err
	}
	if !bytes.Contains(uki, []byte(m.RootHash)) {
		return fmt.Errorf("%s is not for the root file system %.16s…: build the image again", image.UKIFile, m.RootHash)
	}
	if a.Migrations == "" {
		return nil
	}
	text, err := os.ReadFile(a.Migrations)
	if err != nil {
		return err
	}
	set, rep := migration.Parse(a.Migrations, text)
	if rep.HasErrors() {
		return rep.Err()
	}
	if err := set.Complete(); err != nil {
		return fmt.Errorf("%s: %w", a.Migrations, err)
	}
	return nil
}

// files returns the files of a by the names of the targets.
func (a Addition) files(rel update.Release) map[string]string {
	files := map[string]string{
		rel.Images.Boot: filepath.Join(a.Image, image.UKIFile),
		rel.Images.Root: filepath.Join(a.Image, image.RootFile),
		rel.Images.Hash: filepath.Join(a.Image, image.TreeFile),
	}
	if a.Migrations != "" {
		files[rel.Migrations] = a.Migrations
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
