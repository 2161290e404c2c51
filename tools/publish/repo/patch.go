package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/models/update"
)

// patched are the images that patches are made of. Of the hash tree, too: as a
// whole it is more than all else that a small change costs.
var patched = []update.Image{update.RootImage, update.HashImage, update.BootImage}

// worthwhile is how large a patch may be, of the image that it makes.
const worthwhile = 0.7

// A Patching says from which releases patches are made, and how.
type Patching struct {
	From   []update.Version
	DryRun bool      // stage nothing
	Out    io.Writer // is told what is made, a line for each
}

// Patch stages patches that make the images of a release from those of others. A
// release that is public keeps its images; nodes see the patches with the next
// release of the repository.
func (r *Repository) Patch(ctx context.Context, s Selector, p Patching, now time.Time) error {
	return r.edit(now, p.DryRun, func(d *draft) error {
		rel, err := d.release(s)
		if err != nil {
			return err
		}
		return r.patch(ctx, d, rel, p, r.image(d))
	})
}

// An imageFile opens the image of a release.
type imageFile func(target string) (*os.File, error)

// image returns what finds the images of a repository.
func (r *Repository) image(d *draft) imageFile {
	return func(target string) (*os.File, error) {
		t := d.targets[target]
		if t == nil {
			return nil, fmt.Errorf("no target %s", target)
		}
		f, err := os.Open(r.path(staged, Targets, fileName(target, t)))
		if errors.Is(err, fs.ErrNotExist) {
			f, err = os.Open(r.path(Public, Targets, fileName(target, t)))
		}
		return f, err
	}
}

// patch adds patches for rel to the draft. open finds the images of rel, which
// need not be in the repository yet.
func (r *Repository) patch(ctx context.Context, d *draft, rel *update.Release, p Patching, open imageFile) error {
	if p.Out == nil {
		p.Out = io.Discard
	}
	w := patcher{Patching: p, repository: r, draft: d, release: rel, open: open}
	for _, from := range p.From {
		old, ok := d.manifest.Find(rel.Variant, rel.Arch, from)
		switch {
		case from == rel.Version:
			return fmt.Errorf("a patch of %s from itself makes nothing", rel.Name())
		case !ok:
			return fmt.Errorf("make a patch from %s: no release %s %s %s", from, rel.Variant, rel.Arch, from)
		}
		for _, image := range patched {
			if _, there := rel.Patch(image, from); there {
				return fmt.Errorf("%s has a patch from %s already", rel.Name(), from)
			}
			if err := w.image(ctx, old, image); err != nil {
				return fmt.Errorf("make a patch of the image %s from %s: %w", image, from, err)
			}
		}
	}
	return nil
}

// A patcher makes patches for one release.
type patcher struct {
	Patching
	repository *Repository
	draft      *draft
	release    *update.Release
	open       imageFile // finds the images of the release
}

// image makes the patch of one image from that of an old release, and adds it to
// the draft if it is worth it.
func (w patcher) image(ctx context.Context, old update.Release, image update.Image) error {
	start := time.Now()
	tell := func(format string, args ...any) {
		line := fmt.Sprintf("%s from %s: ", image, old.Version) + fmt.Sprintf(format, args...)
		fmt.Fprintf(w.Out, "%7.1fs  %s\n", time.Since(start).Seconds(), line)
	}
	out, err := nameless(w.repository.path(staged))
	if err != nil {
		return err
	}
	defer out.Close()
	before, target := old.Images.Target(image), w.release.Images.Target(image)
	made, err := w.make(ctx, out, before, target, func(percent int64) { tell("%d %%", percent) })
	if err != nil {
		return err
	}
	share := float64(made.Size()) / float64(max(made.New.Size, 1))
	if share > worthwhile {
		tell("none, it would have %.0f %% of the image", 100*share)
		return nil
	}
	tell("%d bytes, %.2f %% of the image", made.Size(), 100*share)
	p := update.Patch{Image: image, From: old.Version, Target: target + "-from-" + old.Version.String() + ".patch"}
	if w.draft.targets[p.Target], err = w.repository.keep(p.Target, io.NewSectionReader(out, 0, made.Size()), w.DryRun); err != nil {
		return err
	}
	w.release.Patches = append(w.release.Patches, p)
	return nil
}

// nameless returns a file of which nothing is left, whatever happens.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".patch-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// make writes the patch between two targets. Both have to be what was signed, as
// it is what nodes have and want.
func (w patcher) make(ctx context.Context, out *os.File, before, target string, tell func(percent int64)) (*blockpatch.Patch, error) {
	old, err := w.repository.image(w.draft)(before)
	if err != nil {
		return nil, err
	}
	defer old.Close()
	next, err := w.open(target)
	if err != nil {
		return nil, err
	}
	defer next.Close()
	made, err := makePatch(ctx, out, old, next, tell)
	if err != nil {
		return nil, err
	}
	for name, sum := range map[string]blockpatch.Sum{before: made.Old.Sum, target: made.New.Sum} {
		if !bytes.Equal(sum[:], w.draft.targets[name].Hashes["sha256"]) {
			return nil, fmt.Errorf("%s in the repository is not what was signed", name)
		}
	}
	return made, nil
}

// makePatch tells from time to time how far it is.
func makePatch(ctx context.Context, out, before, after *os.File, tell func(percent int64)) (*blockpatch.Patch, error) {
	var inputs [2]blockpatch.Input
	total := int64(0)
	for i, f := range []*os.File{before, after} {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		inputs[i] = blockpatch.Input{ReaderAt: f, Size: info.Size()}
		total += info.Size()
	}
	return blockpatch.Make(ctx, out, inputs[0], inputs[1], tenths(total, tell))
}

// long is how many bytes take so long that somebody wonders.
const long = 256 << 20

// tenths returns what tells each tenth of a long work.
func tenths(total int64, tell func(percent int64)) func(done int64) {
	told := int64(0)
	return func(done int64) {
		if percent := 10 * (10 * done / max(total, 1)); total >= long && percent > told && percent < 100 {
			told = percent
			tell(percent)
		}
	}
}

// withoutPatchesFrom takes away patches that only nodes with a version use.
func (d *draft) withoutPatchesFrom(s Selector) {
	for i := range d.manifest.Updates {
		rel := &d.manifest.Updates[i]
		if rel.Variant != s.Variant || rel.Arch != s.Arch {
			continue
		}
		rel.Patches = slices.DeleteFunc(slices.Clone(rel.Patches), func(p update.Patch) bool {
			if p.From == s.Version {
				delete(d.targets, p.Target)
			}
			return p.From == s.Version
		})
	}
}

// keepBlocks stages the list of blocks of a file as a target.
func (r *Repository) keepBlocks(name, file string, dry bool) (*metadata.TargetFiles, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sums, err := blockpatch.BlockSums(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r.keep(name, bytes.NewReader(sums), dry)
}
