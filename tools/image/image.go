// Package image builds the images that nodes boot from.
//
// An image is put together from files of Debian packages, programs built from
// Go modules, and what lies beside the definitions of our packages. The same
// inputs give the same bytes. It takes no privileges: nothing is mounted, and
// no program of a package is run with this machine's files in its reach other
// than those that make file systems.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/sbom"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
	"github.com/bulkhead-os/bulkhead/tools/uki"
	"github.com/bulkhead-os/bulkhead/tools/verity"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Options say what is built.
type Options struct {
	Variant    string
	Version    string
	Out        string            // directory; empty for build/images/VARIANT
	Work       string            // directory for what lies between; empty for build/image/VARIANT
	Keys       string            // directory of the keys that sign; empty for build/keys, where they are made when missing
	Lock       string            // lock file of an earlier build whose Debian packages to take; empty for those that are there or the newest
	Update     bool              // take the newest Debian packages instead of those that are there
	Qcow2      bool              // make the disk in this format, too
	Root       string            // file with the root of trust for updates; empty for update-root.json in Keys, if there is one
	Migrations string            // file with the migrations of settings; empty for those of models/migration
	Debian     string            // variant whose unpacked Debian packages are used, which have to include those that are needed; empty for the variant's own
	Variants   string            // directory with the definitions of variants; empty for those of the repository
	Embed      map[string]string // images of containers that are part of the operating system, beside those of the variant: see ParseEmbed
	Overlay    string            // file as go build -overlay takes it, with other contents for files of our programs
}

// Names of the files of an image in its directory. Kernel, initrd and command
// line are also there by themselves, for machines that boot without firmware.
const (
	DiskFile     = "disk.raw"
	RootFile     = "root.erofs"
	TreeFile     = "root.verity"
	UKIFile      = "uki.efi"
	KernelFile   = "vmlinuz"
	InitrdFile   = "initrd.cpio.zst"
	CmdlineFile  = "cmdline"
	ManifestFile = "manifest.json"
	LockFile     = "packages.lock.json"
	SBOMFile     = "sbom.spdx.json"
	LoaderFile   = "systemd-boot.efi"
	Qcow2File    = "disk.qcow2"
)

// version is what a version looks like. It becomes part of file names.
var version = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// A builder is one build under way.
type builder struct {
	progress
	root       workspace.Root
	opt        Options
	work       string // what lies between; kept for the next build
	packages   []*recipe.Package
	fetched    []*recipe.Package // those whose Debian packages are unpacked
	debian     debtree.Tree
	toolsTree  debtree.Tree
	tools      tools
	kernel     string // version
	keys       secureboot.Keys
	runtime    string
	variant    *variant.Variant
	embed      map[string]string // what it is made of, by name of a host container or of the image
	embedded   int64             // bytes of these
	owners     map[string]string // Debian package of each file of the tree
	components []sbom.Component

	contents contents
	staged   string // what the staged root was made of
	absent   []Absence
	files    []File
	hash     verity.Hash
	cmdline  string
}

// Build builds an image and tells about it on out.
func Build(ctx context.Context, root workspace.Root, opt Options, out io.Writer) error {
	if !version.MatchString(opt.Version) {
		return fmt.Errorf("version %q, want one such as 1.2.3 or 1.2.3-dev.4", opt.Version)
	}
	if opt.Out == "" {
		opt.Out = root.Path("build", "images", opt.Variant)
	}
	if opt.Work == "" {
		opt.Work = root.Path("build", "image", opt.Variant)
	}
	if opt.Keys == "" {
		opt.Keys = root.Path("build", "keys")
	}
	if opt.Variants == "" {
		opt.Variants = root.Path("variants")
	}
	if opt.Debian == "" {
		opt.Debian = opt.Variant
	}
	unlock, err := lock(opt.Work)
	if err != nil {
		return err
	}
	defer unlock()
	b := &builder{progress: progress{out}, root: root, opt: opt, work: opt.Work, contents: contents{}}
	for _, dir := range []string{b.work, opt.Out} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"definitions", b.read},
		{"Debian packages", b.fetch},
		{"programs", b.compile},
		{"files", b.collect},
		{"components", b.addComponents},
		{"root file system", b.packRoot},
		{"hash tree", b.hashRoot},
		{"initrd", b.initrd},
		{"boot program", b.bootProgram},
		{"disk", b.disk},
		{"manifest", b.writeManifest},
		{"budget", b.checkBudget},
	} {
		if err := b.step(s.what, func() (string, error) { return s.do(ctx) }); err != nil {
			return fmt.Errorf("build image %s: %w", opt.Variant, err)
		}
	}
	for _, a := range b.absent {
		fmt.Fprintf(out, "absent: %s of package %s%s\n", a.Program, a.Package, without(a.Units))
	}
	fmt.Fprintf(out, "image %s %s: %s\n", opt.Variant, opt.Version, opt.Out)
	return nil
}

func without(units []string) string {
	if len(units) == 0 {
		return ""
	}
	return ", so without " + strings.Join(units, ", ")
}

func (b *builder) out(name string) string { return filepath.Join(b.opt.Out, name) }

func (b *builder) temp(name string) string { return filepath.Join(b.work, name) }

// lock keeps other builds out of the directory until the returned function is
// called.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { _ = f.Close() }, nil
}

// read reads the definitions of the variant and its packages.
func (b *builder) read(context.Context) (string, error) {
	v, packages, err := b.load(b.opt.Variant)
	if err != nil {
		return "", err
	}
	b.packages, b.runtime, b.variant, b.embed = packages, v.Runtime, v, map[string]string{}
	maps.Copy(b.embed, v.Embed)
	maps.Copy(b.embed, b.opt.Embed)
	if _, b.fetched, err = b.load(b.opt.Debian); err != nil {
		return "", err
	}
	if b.keys, err = secureboot.LoadOrCreate(b.opt.Keys, time.Now()); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d packages", len(packages)), nil
}

// load reads the definitions of a variant and its packages.
func (b *builder) load(name string) (*variant.Variant, []*recipe.Package, error) {
	v, err := variant.Load(os.DirFS(b.opt.Variants), name)
	if err != nil {
		return nil, nil, err
	}
	packages, rep := recipe.LoadAll(os.DirFS(b.root.Path("packages")), v.Packages)
	rep.Merge(recipe.Check(packages))
	return v, packages, rep.Err()
}

// fetch provides the unpacked packages of Debian: those that files are taken
// from, and those of the tools.
func (b *builder) fetch(ctx context.Context) (string, error) {
	if err := b.trees(); err != nil {
		return "", err
	}
	for _, tree := range []debtree.Tree{b.toolsTree, b.debian} {
		if b.opt.Update {
			if err := tree.Forget(); err != nil {
				return "", err
			}
		}
		if err := tree.Fetch(ctx, b.progress.out); err != nil {
			return "", err
		}
	}
	var err error
	if b.kernel, err = kernelVersion(b.debian.Dir); err != nil {
		return "", err
	}
	// Which modules a module needs is asked of all that there are.
	lists := filepath.Join(b.debian.Dir, modulesDir, b.kernel, "modules.dep")
	if _, err := os.Stat(lists); err != nil {
		if err := b.tools.listModules(ctx, b.debian.Dir, b.kernel); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("kernel %s", b.kernel), nil
}

// compile builds the programs that are not Debian's.
func (b *builder) compile(ctx context.Context) (string, error) {
	var err error
	var more []string
	if b.opt.Overlay != "" {
		more = []string{"-overlay=" + b.opt.Overlay}
	}
	if b.absent, err = b.contents.addOwn(ctx, b.root, b.packages, b.temp("programs"), more...); err != nil {
		return "", err
	}
	if err := b.contents.addModules(ctx, b.root, b.packages, b.temp("modules")); err != nil {
		return "", err
	}
	if err := b.contents.addImages(ctx, b.root, b.packages, b.temp("images")); err != nil {
		return "", err
	}
	if err := b.addEmbedded(ctx); err != nil {
		return "", err
	}
	if err := compile(ctx, b.root, initPackage, b.temp("init")); err != nil {
		return "", err
	}
	return "", nil
}

// collect decides which files the root file system has.
func (b *builder) collect(ctx context.Context) (string, error) {
	c := b.contents
	c.addSkeleton(osRelease(b.opt.Variant, b.opt.Version))
	if err := c.addDebian(b.packages, b.debian.Dir); err != nil {
		return "", err
	}
	if err := errors.Join(c.addModuleLists(b.debian.Dir, b.kernel), b.addTrustStore(ctx)); err != nil {
		return "", err
	}
	if err := errors.Join(c.addPackages(b.packages, os.DirFS(b.root.Path("packages"))), c.addVariants(b.opt.Variants)); err != nil {
		return "", err
	}
	if err := errors.Join(b.addUpdateRoot(), b.addMigrations()); err != nil {
		return "", err
	}
	left, err := c.withoutProgram(b.packages)
	if err != nil {
		return "", err
	}
	for i, a := range b.absent {
		b.absent[i].Units = left[a.Program]
		delete(left, a.Program)
	}
	for program, units := range left {
		return "", fmt.Errorf("%s starts %s, which is not in the image", strings.Join(units, ", "), program)
	}
	for _, p := range b.packages {
		for _, u := range p.Units {
			if u.Enable && c.hasUnit(u.Name) {
				if err := c.enable(u.Name); err != nil {
					return "", err
				}
			}
		}
	}
	if err := errors.Join(b.signLoader(), c.copy(loaderPath, b.out(LoaderFile))); err != nil {
		return "", err
	}
	c.dropWishes()
	return fmt.Sprintf("%d", len(c)), errors.Join(checkNames(c), c.checkCredentials())
}

// packRoot makes the root file system. Packing takes longer than all the rest:
// it is left out when the files are the same.
func (b *builder) packRoot(ctx context.Context) (string, error) {
	root, stamp := b.out(RootFile), b.out(RootFile+".stamp")
	b.staged = b.temp("root")
	if err := b.tools.stage(ctx, b.contents, b.staged, b.kernel); err != nil {
		return "", err
	}
	var err error
	if err := checkFiles(b.staged); err != nil {
		return "", err
	}
	if b.files, err = list(b.staged); err != nil {
		return "", err
	}
	for i, f := range b.files {
		b.files[i].Package = b.owners[strings.Replace(f.Path, factoryEtc, "/etc", 1)]
	}
	key := digest(b.files, rootArgs)
	was, _ := os.ReadFile(stamp) // none is one that does not fit
	if _, err := os.Stat(root); err == nil && string(was) == key {
		text, err := size(root)
		return text + ", as before", err
	}
	if err := errors.Join(remove(stamp), b.tools.packRoot(ctx, b.opt.Variant, b.staged, root)); err != nil {
		return "", err
	}
	// Before this line the file system is made anew, after it it is there.
	if err := os.WriteFile(stamp, []byte(key), 0o644); err != nil {
		return "", err
	}
	return size(root)
}

func size(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	return megabytes(info.Size()), nil
}

func (b *builder) hashRoot(context.Context) (string, error) {
	var err error
	if b.hash, err = hashRoot(b.opt.Variant, b.out(RootFile), b.out(TreeFile)); err != nil {
		return "", err
	}
	b.cmdline = cmdline(b.hash)
	text, err := size(b.out(TreeFile))
	return text + ", root hash " + b.hash.String(), errors.Join(err, os.WriteFile(b.out(CmdlineFile), []byte(b.cmdline), 0o644))
}

// cmdline returns what the kernel is told.
func cmdline(hash verity.Hash) string {
	return strings.Join([]string{
		// With gpt the kernel takes the table at the end of a disk when the one at
		// its start is spoiled.
		"console=tty0", "console=ttyS0", "quiet", "panic=3", "oops=panic", "gpt",
		"transparent_hugepage=madvise", "lockdown=integrity", "module.sig_enforce=1", "cryptomgr.notests",
		// docs/design has the reason for each of these.
		"slab_nomerge", "init_on_alloc=1", "page_alloc.shuffle=1", "randomize_kstack_offset=on",
		"vsyscall=none", "debugfs=off", "proc_mem.force_override=ptrace", "mitigations=auto",
		"roothash=" + hash.String(),
	}, " ")
}

func (b *builder) initrd(ctx context.Context) (string, error) {
	dir := b.temp("initrd")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	files, err := initrdFiles(b.debian.Dir, b.staged, b.kernel)
	if err != nil {
		return "", err
	}
	archive, err := b.tools.makeInitrd(ctx, files, dir, b.kernel, b.temp("init"))
	if err != nil {
		return "", err
	}
	packed, err := b.tools.compress(ctx, archive)
	if err != nil {
		return "", err
	}
	return megabytes(int64(len(packed))), os.WriteFile(b.out(InitrdFile), packed, 0o644)
}

func (b *builder) bootProgram(context.Context) (string, error) {
	stub, err := os.ReadFile(filepath.Join(string(b.tools), "usr/lib/systemd/boot/efi/linuxx64.efi.stub"))
	if err != nil {
		return "", err
	}
	kernel, err := readKernel(b.debian.Dir, b.kernel)
	if err != nil {
		return "", err
	}
	initrd, err := os.ReadFile(b.out(InitrdFile))
	if err != nil {
		return "", err
	}
	plain, err := uki.Build(stub, uki.Parts{
		OSRelease: osRelease(b.opt.Variant, b.opt.Version), Cmdline: b.cmdline, Uname: b.kernel, Initrd: initrd, Kernel: kernel,
	})
	if err != nil {
		return "", err
	}
	program, err := secureboot.Sign(plain, b.keys.Database)
	if err != nil {
		return "", err
	}
	err = errors.Join(os.WriteFile(b.out(KernelFile), kernel, 0o644), os.WriteFile(b.out(UKIFile), program, 0o644))
	return megabytes(int64(len(program))) + ", signed by " + b.keys.Database.Certificate.Subject.CommonName, err
}

// loaderPath is where a node finds the loader that goes with its image, for
// boot-slot to put it on the ESP.
const loaderPath = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// signLoader signs what the firmware starts first.
func (b *builder) signLoader() error {
	plain, err := os.ReadFile(filepath.Join(string(b.tools), loaderPath))
	if err != nil {
		return err
	}
	signed, err := secureboot.Sign(plain, b.keys.Database)
	if err != nil {
		return err
	}
	return os.WriteFile(b.out(LoaderFile), signed, 0o644)
}

func (b *builder) disk(ctx context.Context) (string, error) {
	esp, private := b.temp("esp.img"), b.temp("private.img")
	addons, err := b.addonFiles()
	if err != nil {
		return "", err
	}
	if err := b.tools.makeESP(ctx, b.opt.Variant, b.opt.Version, b.out(LoaderFile), b.out(UKIFile), addons, b.work, esp); err != nil {
		return "", err
	}
	if err := b.tools.makePrivate(ctx, b.opt.Variant, private); err != nil {
		return "", err
	}
	l, err := layout(b.opt.Variant, b.hash, esp, b.out(RootFile), b.out(TreeFile), private)
	if err != nil {
		return "", err
	}
	if err := l.Write(b.out(DiskFile)); err != nil || !b.opt.Qcow2 {
		return megabytes(l.Size) + ", with holes", err
	}
	if err := b.tools.makeQcow2(ctx, b.out(DiskFile), b.out(Qcow2File)); err != nil {
		return "", err
	}
	text, err := size(b.out(Qcow2File))
	return megabytes(l.Size) + ", with holes; as qcow2 " + text, err
}
