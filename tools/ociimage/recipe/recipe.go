// Package recipe makes the images of containers that come with Bulkhead.
//
// They are made of Debian packages, of the suite that the images of nodes are of,
// and of our programs. No script of a package is run: what those would have made
// is made here.
package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// suite is the Debian release that images are made of.
const suite = "trixie"

// A recipe says what an image is made of.
type recipe struct {
	ref      string            // name without the version
	bare     bool              // the version has no "v", as those who ask for the image write it
	packages []string          // of Debian
	without  []string          // packages that those depend on, and whose programs nobody runs
	programs map[string]string // our programs: package by path
	modules  map[string]module // programs of others, by path
	config   ociimage.Config
	more     func(files ociimage.Files, tree string) error
}

// Names returns the names of all images.
func Names() []string { return slices.Sorted(maps.Keys(recipes())) }

// A module builds a program from a Go module that pins it, unless it is there.
type module func(ctx context.Context, root workspace.Root, out io.Writer) (file string, err error)

func recipes() map[string]recipe {
	all := map[string]recipe{"pause": pause(), "control": control(), "admin": admin(), "hello": hello(), "coredns": coredns()}
	for _, minor := range []string{"1.36", "1.37"} {
		all[Network(minor)] = network(minor)
	}
	return all
}

// Ref returns the name of the image called name in its version.
func Ref(name string) (string, error) {
	r, ok := recipes()[name]
	if !ok {
		return "", fmt.Errorf("there is no image %q", name)
	}
	return r.named(Version), nil
}

// named returns the name of the image in a version.
func (r recipe) named(version string) string {
	if r.bare {
		version = strings.TrimPrefix(version, "v")
	}
	return r.ref + ":" + version
}

// Dir is where images are put in the repository unless another place is asked for.
const Dir = "build/oci/images"

// Version is the version of images unless another one is asked for.
const Version = "v0.1.0"

// Options say how an image is made.
type Options struct {
	Out     string // directory
	Work    string // directory for what lies between, below which each image has one; build/oci when empty
	Version string
	Lock    string // file with the packages of an earlier build; the newest are taken without
}

// A Built is an image that was made.
type Built struct {
	Ref     string
	Digest  v1.Hash
	Archive string
	Layout  string // directory
	Size    int64  // of the archive
}

// lockName is the file beside an image that says what it was made of.
const lockName = "packages.lock.json"

// Build makes the image called name, as a layout and as an archive.
func Build(ctx context.Context, root workspace.Root, name string, opt Options, out io.Writer) (Built, error) {
	r, ok := recipes()[name]
	if !ok {
		return Built{}, fmt.Errorf("there is no image %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	if err := os.MkdirAll(opt.Out, 0o755); err != nil {
		return Built{}, err
	}
	if opt.Work == "" {
		opt.Work = root.Path("build", "oci")
	}
	image, err := r.image(ctx, root, name, opt, out)
	if err != nil {
		return Built{}, fmt.Errorf("image %s: %w", name, err)
	}
	built := Built{Ref: r.named(opt.Version), Archive: filepath.Join(opt.Out, name+".tar"), Layout: filepath.Join(opt.Out, name)}
	if err := ociimage.WriteLayout(image, built.Ref, built.Layout); err != nil {
		return Built{}, err
	}
	if err := ociimage.WriteArchive(image, built.Ref, built.Archive); err != nil {
		return Built{}, err
	}
	info, err := os.Stat(built.Archive)
	if err != nil {
		return Built{}, err
	}
	built.Size = info.Size()
	built.Digest, err = image.Digest()
	return built, err
}

// image returns the image: Debian's files in a layer of their own, since they
// change less often than ours.
func (r recipe) image(ctx context.Context, root workspace.Root, name string, opt Options, out io.Writer) (v1.Image, error) {
	ours := ociimage.Files{}
	for path, pkg := range r.programs {
		file := filepath.Join(opt.Work, name, filepath.Base(path))
		if err := compile(ctx, root, pkg, file); err != nil {
			return nil, err
		}
		ours.Add(path, file, 0o755)
	}
	for path, build := range r.modules {
		file, err := build(ctx, root, out)
		if err != nil {
			return nil, err
		}
		ours.Add(path, file, 0o755)
	}
	if len(r.packages) == 0 {
		return ociimage.New(r.config, ours)
	}
	tree := debtree.Tree{Dir: filepath.Join(opt.Work, name, "debian"), Suite: suite, Packages: r.packages}
	if err := locked(&tree, opt.Lock); err != nil {
		return nil, err
	}
	if err := tree.Fetch(ctx, out); err != nil {
		return nil, err
	}
	record, err := tree.Record()
	if err != nil {
		return nil, err
	}
	if err := writeLock(filepath.Join(opt.Out, name+"-"+lockName), record); err != nil {
		return nil, err
	}
	debian := ociimage.Files{}
	if err := debian.AddTree(tree.Dir); err != nil {
		return nil, err
	}
	owners, err := tree.Owners()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(debian, func(path string, _ ociimage.File) bool {
		return unwanted(path) || slices.Contains(r.without, owners[path])
	})
	if r.more != nil {
		if err := r.more(ours, tree.Dir); err != nil {
			return nil, err
		}
	}
	return ociimage.New(r.config, debian, ours)
}

// unwanted reports whether no program reads the file at path: notes of ours, and
// what is for people at other computers.
func unwanted(path string) bool {
	if strings.Count(path, "/") == 1 && strings.HasPrefix(path, "/.debtree") {
		return true
	}
	for _, dir := range []string{"/usr/share/doc-base", "/usr/share/lintian", "/usr/share/bug", "/usr/lib/systemd", "/etc/init.d", "/etc/cron.d", "/usr/lib/udev", "/usr/share/vim/vim91/doc"} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

func compile(ctx context.Context, root workspace.Root, pkg, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	cmd := root.Go("build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", file, pkg)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	return cmd.Run(ctx)
}

// locked has the tree be made of the packages in file, in a directory of its own.
func locked(tree *debtree.Tree, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := json.Unmarshal(text, &tree.Lock); err != nil {
		return fmt.Errorf("lock %s: %w", file, err)
	}
	if len(tree.Lock) == 0 {
		return fmt.Errorf("lock %s names no packages", file)
	}
	tree.Dir += "-locked"
	return nil
}

func writeLock(file string, record debtree.Record) error {
	text, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
