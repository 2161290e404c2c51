package repo_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/blockpatch"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// like makes the image of a version that differs little from the one in dir.
func like(t *testing.T, dir, version string) string {
	t.Helper()
	next := image(t, version)
	for _, name := range []string{"root.erofs", "root.verity", "uki.efi"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(next, name))
		if err != nil {
			t.Fatal(err)
		}
		// The end stays: a kernel image has its root hash there.
		copy(after[:len(after)-100], before[:len(before)-100])
		if err := os.WriteFile(filepath.Join(next, name), after, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return next
}

func versions(t *testing.T, texts ...string) []update.Version {
	t.Helper()
	var out []update.Version
	for _, s := range texts {
		out = append(out, which(t, s).Version)
	}
	return out
}

// patched is a repository with 1.0.0, 1.1.0 and patches between them, and the
// image of 1.1.0.
func patched(t *testing.T) (*publisher, string) {
	t.Helper()
	p := newPublisher(t)
	first := image(t, "1.0.0")
	p.add("1.0.0", func(a *repo.Addition) { a.Image = first })
	second := like(t, first, "1.1.0")
	p.add("1.1.0", func(a *repo.Addition) { a.Image, a.From = second, versions(t, "1.0.0") })
	if err := p.release("root1", "root2", "targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	return p, second
}

func (p *publisher) view() *repo.View {
	p.t.Helper()
	v, err := repo.From(p.dir).View(p.t.Context(), nil, p.now)
	if err != nil {
		p.t.Fatalf("View: %v", err)
	}
	return v
}

// What a node makes with the patches is the images, to the last byte.
func TestPatches(t *testing.T) {
	p, second := patched(t)
	rel, _ := p.view().Manifest.Find("qemu-dev", "x86_64", which(t, "1.1.0").Version)
	old, _ := p.view().Manifest.Find("qemu-dev", "x86_64", which(t, "1.0.0").Version)
	u, err := p.node().refresh()
	if err != nil {
		t.Fatalf("refresh of a node: %v", err)
	}
	for img, file := range map[update.Image]string{update.RootImage: "root.erofs", update.HashImage: "root.verity", update.BootImage: "uki.efi"} {
		made, ok := rel.Patch(img, old.Version)
		if !ok {
			t.Fatalf("no patch of the image %s from %s in %+v", img, old.Version, rel.Patches)
		}
		data, err := fetch(u, made.Target)
		if err != nil {
			t.Fatalf("fetch %s: %v", made.Target, err)
		}
		before, err := fetch(u, old.Images.Target(img))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(second, file))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := blockpatch.Whole(bytes.NewReader(data), bytes.NewReader(before), &got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("the patch %s makes another file than %s: %v", made.Target, file, err)
		}
	}
	blocks, err := fetch(u, rel.Images.BootBlocks)
	if err != nil || len(blocks) != sha256.Size {
		t.Errorf("the list of blocks of the kernel image has %d bytes, %v, want those of one block", len(blocks), err)
	}
}

func TestPatchErrors(t *testing.T) {
	p, _ := patched(t)
	tests := []struct{ name, version, from, want string }{
		{name: "no such release", version: "1.2.0", from: "1.0.0", want: "no release qemu-dev x86_64 1.2.0"},
		{name: "no such old release", version: "1.1.0", from: "0.9.0", want: "make a patch from 0.9.0: no release qemu-dev x86_64 0.9.0"},
		{name: "itself", version: "1.1.0", from: "1.1.0", want: "a patch of qemu-dev x86_64 1.1.0 from itself makes nothing"},
		{name: "twice", version: "1.1.0", from: "1.0.0", want: "qemu-dev x86_64 1.1.0 has a patch from 1.0.0 already"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := p.do(func(r *repo.Repository) error {
				return r.Patch(t.Context(), which(t, tt.version), repo.Patching{From: versions(t, tt.from)}, p.now)
			})
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("Patch(%s from %s): error (-want +got):\n%s", tt.version, tt.from, diff)
			}
		})
	}
}

// A patch is made from what nodes have, which is what was signed.
func TestPatchFromDamagedImage(t *testing.T) {
	p, second := patched(t)
	file := p.newest("targets/*.qemu-dev-x86_64-1.1.0-root.erofs")
	if err := os.WriteFile(file, random(t, 20_000), 0o644); err != nil {
		t.Fatal(err)
	}
	a := repo.Addition{Image: like(t, second, "1.2.0"), Arch: "x86_64", Patching: repo.Patching{From: versions(t, "1.1.0")}}
	err := p.do(func(r *repo.Repository) error { _, err := r.Add(t.Context(), a, p.now); return err })
	want := "make a patch of the image root from 1.1.0: qemu-dev-x86_64-1.1.0-root.erofs in the repository is not what was signed"
	if text(err) != want {
		t.Errorf("Add with a patch from a damaged image: error %v, want %s", err, want)
	}
}

// Going back is an update, too. Where two images have nothing in common there is
// no patch.
func TestPatchLater(t *testing.T) {
	p, _ := patched(t)
	var out strings.Builder
	p.add("1.2.0", func(a *repo.Addition) { a.From, a.Out = versions(t, "1.1.0"), &out })
	if !strings.Contains(out.String(), "root from 1.1.0: none, it would have 10") {
		t.Errorf("Add with a patch between images that have nothing in common says\n%swant that there is none", out.String())
	}
	p.must("Patch", func(r *repo.Repository) error {
		return r.Patch(t.Context(), which(t, "1.0.0"), repo.Patching{From: versions(t, "1.1.0")}, p.now)
	})
	if err := p.release("targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	rel, _ := p.view().Manifest.Find("qemu-dev", "x86_64", which(t, "1.0.0").Version)
	if len(rel.Patches) != 3 {
		t.Errorf("1.0.0 has the patches %+v, want those of three images", rel.Patches)
	}
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}
}

func TestDryRun(t *testing.T) {
	p, second := patched(t)
	before := tree(t, p.dir)
	var out strings.Builder
	a := repo.Addition{Image: like(t, second, "1.2.0"), Arch: "x86_64", Patching: repo.Patching{From: versions(t, "1.0.0", "1.1.0"), DryRun: true, Out: &out}}
	p.must("Add", func(r *repo.Repository) error { _, err := r.Add(t.Context(), a, p.now); return err })
	if diff := cmp.Diff(before, tree(t, p.dir)); diff != "" {
		t.Errorf("Add, dry, changes the repository (-before +after):\n%s", diff)
	}
	if got := strings.Count(out.String(), "bytes"); got != 6 {
		t.Errorf("Add, dry, says\n%swant the sizes of six patches", out.String())
	}
}

// tree returns the names and sums of all files below dir.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out = append(out, fmt.Sprintf("%s %x", path, sha256.Sum256(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Patches to a release and from it go when it goes.
func TestRetirePatches(t *testing.T) {
	p, second := patched(t)
	p.add("1.2.0", func(a *repo.Addition) { a.Image, a.From = like(t, second, "1.2.0"), versions(t, "1.1.0", "1.0.0") })
	p.must("Retire", func(r *repo.Repository) error { return r.Retire(which(t, "1.1.0"), p.now) })
	if err := p.release("targets", "online"); err != nil {
		t.Fatalf("Release: %v", err)
	}
	v := p.view()
	var got []string
	for name := range v.Targets {
		if strings.HasSuffix(name, ".patch") {
			got = append(got, strings.TrimPrefix(name, "qemu-dev-x86_64-"))
		}
	}
	slices.Sort(got)
	want := []string{
		"1.2.0-root.erofs-from-1.0.0.patch", "1.2.0-root.verity-from-1.0.0.patch", "1.2.0-uki.efi-from-1.0.0.patch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("patches after 1.1.0 was retired (-want +got):\n%s", diff)
	}
	if err := validate(t, p); err != nil {
		t.Errorf("validation: %v", err)
	}
}

// A bundle for nodes with a known version has no images.
func TestPatchBundle(t *testing.T) {
	p, second := patched(t)
	dir := t.TempDir()
	whole, small := filepath.Join(dir, "whole"), filepath.Join(dir, "small")
	v := p.view()
	for file, from := range map[string]update.Version{whole: {}, small: which(t, "1.0.0").Version} {
		if err := v.Bundle(t.Context(), which(t, "1.1.0"), from, file); err != nil {
			t.Fatalf("Bundle(1.1.0 from %q): %v", from, err)
		}
		s, err := repo.FromBundle(file)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := s.View(t.Context(), nil, p.now)
		if err != nil {
			t.Fatalf("View of a bundle: %v", err)
		}
		if n, _, err := seen.CheckTargets(t.Context(), true); err != nil || n < 4 {
			t.Errorf("CheckTargets of the bundle from %q = %d, %v, want manifest and three images", from, n, err)
		}
	}
	if got, limit := size(t, small), size(t, whole)-15_000; got > limit {
		t.Errorf("a bundle with patches has %d bytes, want at most %d", got, limit)
	}
	p.add("1.2.0", func(a *repo.Addition) { a.Image = like(t, second, "1.2.0") })
	if err := p.release("targets", "online"); err != nil {
		t.Fatal(err)
	}
	err := p.view().Bundle(t.Context(), which(t, "1.2.0"), which(t, "1.1.0").Version, filepath.Join(dir, "none"))
	if want := "qemu-dev x86_64 1.2.0 has no patch from 1.1.0: repo patch makes one"; text(err) != want {
		t.Errorf("Bundle(1.2.0 from 1.1.0): error %v, want %s", err, want)
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
