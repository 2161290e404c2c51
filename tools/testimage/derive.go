package testimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/uki"
	"github.com/bulkhead-os/bulkhead/tools/verity"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// A Release is an image without a disk: what an update is made of.
type Release struct {
	Version string
	Hash    verity.Hash
	Dir     string // of the files, which have the names of package image
}

// A Change is what makes a release another one.
type Change struct {
	Version string
	Files   map[string]string // in the root, by their paths
	Links   map[string]string // in the root
	Key     *secureboot.Key   // signs the boot program; nil for the key of builds
}

// Derive makes a release in dir of the image in the directory from. Its root is
// not compressed: that takes seconds in place of a minute, and boots as well.
func Derive(ctx context.Context, root workspace.Root, from, dir string, c Change) (_ Release, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("derive version %s: %w", c.Version, err)
		}
	}()
	d := deriver{tools: root.Path("build", "image", "tools"), from: from, dir: dir, change: c}
	if d.change.Key == nil {
		keys, err := secureboot.LoadOrCreate(root.Path("build", "keys"), time.Now())
		if err != nil {
			return Release{}, err
		}
		d.change.Key = &keys.Database
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Release{}, err
	}
	if err := d.packRoot(ctx); err != nil {
		return Release{}, err
	}
	hash, err := d.hashRoot()
	if err != nil {
		return Release{}, err
	}
	return Release{c.Version, hash, dir}, errors.Join(d.bootProgram(hash), d.writeManifest(hash))
}

type deriver struct {
	tools, from, dir string
	change           Change
}

func (d deriver) run(ctx context.Context, name string, args ...string) error {
	cmd, err := debtree.Program(d.tools, name, args...)
	if err != nil {
		return err
	}
	return cmd.Run(ctx)
}

func (d deriver) out(name string) string { return filepath.Join(d.dir, name) }

// packRoot makes the root of that of the image.
func (d deriver) packRoot(ctx context.Context) (err error) {
	tree := d.out("tree")
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	if err := errors.Join(os.RemoveAll(tree), os.RemoveAll(d.out(image.RootFile))); err != nil {
		return err
	}
	if err := d.run(ctx, "/usr/bin/fsck.erofs", "--extract="+tree, "--no-preserve-owner", "--preserve-perms", filepath.Join(d.from, image.RootFile)); err != nil {
		return err
	}
	if err := d.apply(tree); err != nil {
		return err
	}
	return d.run(ctx, "/usr/bin/mkfs.erofs", "--quiet", "-T1", "--all-root", d.out(image.RootFile), tree)
}

// apply makes the changes in the tree.
func (d deriver) apply(tree string) error {
	const release = "/usr/lib/os-release"
	text, err := os.ReadFile(filepath.Join(tree, release))
	if err != nil {
		return err
	}
	files := map[string]string{release: d.renamed(string(text))}
	for name, text := range d.change.Files {
		files[name] = text
	}
	for name, text := range files {
		file := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	for name, to := range d.change.Links {
		file := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink(to, file)); err != nil {
			return err
		}
	}
	return nil
}

// renamed returns an os-release with the new version in place of the old one.
func (d deriver) renamed(release string) string {
	for line := range strings.Lines(release) {
		if old, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_ID="); ok {
			return strings.ReplaceAll(release, strings.Trim(old, `"`), d.change.Version)
		}
	}
	return release
}

// writeManifest says of the release what those want to know who publish it.
func (d deriver) writeManifest(hash verity.Hash) error {
	text, err := json.Marshal(image.Manifest{Variant: Variant, Version: d.change.Version, RootHash: hash.String()})
	if err != nil {
		return err
	}
	return os.WriteFile(d.out(image.ManifestFile), text, 0o644)
}

// salt is one for all releases: blocks that are the same have the same hash.
var salt = sha256.Sum256([]byte("bulkhead test"))

// hashRoot makes the tree of hashes.
func (d deriver) hashRoot() (_ verity.Hash, err error) {
	in, err := os.Open(d.out(image.RootFile))
	if err != nil {
		return verity.Hash{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return verity.Hash{}, err
	}
	out, err := os.Create(d.out(image.TreeFile))
	if err != nil {
		return verity.Hash{}, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return verity.Format(out, in, info.Size(), verity.Params{Salt: salt})
}

// bootProgram makes the boot program of the parts of the image's.
func (d deriver) bootProgram(hash verity.Hash) error {
	old, err := os.ReadFile(filepath.Join(d.from, image.UKIFile))
	if err != nil {
		return err
	}
	f, err := pe.NewFile(bytes.NewReader(old))
	if err != nil {
		return err
	}
	stub, err := os.ReadFile(filepath.Join(d.tools, "usr/lib/systemd/boot/efi/linuxx64.efi.stub"))
	if err != nil {
		return err
	}
	parts := map[string][]byte{}
	for _, name := range []string{".osrel", ".cmdline", ".uname", ".initrd", ".linux"} {
		if parts[name], err = section(f, name); err != nil {
			return err
		}
	}
	words := strings.Fields(string(parts[".cmdline"]))
	for i, w := range words {
		if strings.HasPrefix(w, "roothash=") {
			words[i] = "roothash=" + hash.String()
		}
	}
	plain, err := uki.Build(stub, uki.Parts{
		OSRelease: d.renamed(string(parts[".osrel"])), Cmdline: strings.Join(words, " "), Uname: string(parts[".uname"]),
		Initrd: parts[".initrd"], Kernel: parts[".linux"],
	})
	if err != nil {
		return err
	}
	signed, err := secureboot.Sign(plain, *d.change.Key)
	if err != nil {
		return err
	}
	return os.WriteFile(d.out(image.UKIFile), signed, 0o644)
}

// section returns what is in a section, without what fills it up.
func section(f *pe.File, name string) ([]byte, error) {
	s := f.Section(name)
	if s == nil {
		return nil, fmt.Errorf("the boot program has no section %s", name)
	}
	b := make([]byte, min(s.Size, s.VirtualSize))
	if _, err := s.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("section %s: %w", name, err)
	}
	return b, nil
}
