package image

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// shareDir holds what our programs read of the image.
const shareDir = "/usr/share/bulkhead"

// addPackages adds what lies beside the definitions of packages: files, units,
// and the definitions themselves with their templates.
func (c contents) addPackages(packages []*recipe.Package, sources fs.FS) error {
	for _, p := range packages {
		read := func(name string) ([]byte, error) { return fs.ReadFile(sources, path.Join(p.Name, name)) }
		install := map[string]string{} // file in the image: source
		modes := map[string]fs.FileMode{}
		for _, f := range p.Files {
			install[f.Path], modes[f.Path] = f.Source, f.Mode
		}
		for _, u := range p.Units {
			if u.File != "" {
				install[path.Join(unitDir, u.Name)] = u.File
			}
		}
		for kind, name := range map[string]string{"tmpfiles": p.Tmpfiles, "sysusers": p.Sysusers, "sysctl": p.Sysctl} {
			if name != "" {
				install["/usr/lib/"+kind+".d/"+strings.Replace(name, "."+kind+".conf", ".conf", 1)] = name
			}
		}
		install[path.Join(shareDir, "packages", p.Name, "package.toml")] = "package.toml"
		for name := range p.Templates {
			install[path.Join(shareDir, "packages", p.Name, name)] = name
		}
		for to, name := range install {
			data, err := read(name)
			if err != nil {
				return fmt.Errorf("package %s: %w", p.Name, err)
			}
			mode := fs.FileMode(0o644)
			if modes[to] != 0 {
				mode = modes[to]
			}
			c.file(to, data, mode)
		}
	}
	return nil
}

// addVariants adds the definitions of all variants: a document of one may be
// checked against another.
func (c contents) addVariants(dir string) error {
	files := os.DirFS(dir)
	for _, pattern := range []string{"*.toml", "shared/*.toml"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			c.file(path.Join(shareDir, "variants", name), data, 0o644)
		}
	}
	return nil
}

// addSkeleton adds what the other files hang on, and what programs expect in
// every root.
func (c contents) addSkeleton(osRelease string) {
	for _, name := range []string{"/boot", "/dev", "/etc", "/mnt", "/opt", "/proc", "/run", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/sbin", "/var"} {
		c.dir(name, 0o755)
	}
	c.dir("/root", 0o700)
	for _, top := range []string{"bin", "sbin", "lib", "lib64"} {
		c.link("/"+top, "usr/"+top)
	}
	c.link("/local", "var/local")
	c.file("/usr/lib/os-release", []byte(osRelease), 0o644)
	c.link(path.Join(unitDir, "default.target"), "multi-user.target")

	c.link("/etc/os-release", "../usr/lib/os-release")
	c.link("/etc/mtab", "../proc/self/mounts")
	// Empty: the initial RAM disk fills it, and where it cannot, systemd does.
	c.file("/etc/machine-id", nil, 0o444)
}

// osRelease returns the text by which programs, and systemd-boot, know the
// image.
func osRelease(variant, version string) string {
	return fmt.Sprintf(`NAME=Bulkhead
ID=bulkhead
PRETTY_NAME="Bulkhead %[2]s (%[1]s)"
VERSION_ID=%[2]s
VARIANT_ID=%[1]s
IMAGE_ID=bulkhead-%[1]s
IMAGE_VERSION=%[2]s
DEFAULT_HOSTNAME=bulkhead
`, variant, version)
}
