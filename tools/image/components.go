package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/sbom"
)

// licencesDir holds the texts of the licences of all that is in an image: what
// is passed on is passed on with them.
const licencesDir = "/usr/share/licenses"

// addComponents finds out which software the contents come from, and adds the
// texts of its licences.
func (b *builder) addComponents(ctx context.Context) (string, error) {
	debian, err := b.debianComponents()
	if err != nil {
		return "", err
	}
	modules, err := b.goComponents(ctx)
	if err != nil {
		return "", err
	}
	b.components = slices.Concat(debian, modules)
	return fmt.Sprintf("%d Debian packages, %d Go modules", len(debian), len(modules)), nil
}

// debianComponents returns the Debian packages that files are from. The kernel
// is one of them although it is not among the files.
func (b *builder) debianComponents() ([]sbom.Component, error) {
	record, err := b.debian.Record()
	if err != nil {
		return nil, err
	}
	if b.owners, err = b.debian.Owners(); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for name, e := range b.contents {
		if from, ok := strings.CutPrefix(e.source, b.debian.Dir); ok {
			name = from
		}
		used[b.owners[name]] = true
	}
	used[b.owners["/boot/vmlinuz-"+b.kernel]] = true
	var out []sbom.Component
	for _, p := range record {
		if !used[p.Name] {
			continue
		}
		out = append(out, sbom.Component{
			Kind: sbom.Debian, Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, SHA256: p.SHA256, Supplier: "Debian",
		})
		text, err := filepath.EvalSymlinks(filepath.Join(b.debian.Dir, "usr/share/doc", p.Name, "copyright"))
		if err != nil {
			return nil, fmt.Errorf("licence of Debian package %s: %w", p.Name, err)
		}
		if err := b.contents.copy(path.Join(licencesDir, "debian", p.Name, "copyright"), text); err != nil {
			return nil, fmt.Errorf("licence of Debian package %s: %w", p.Name, err)
		}
	}
	return out, nil
}

// goComponents returns the modules that programs are built from.
func (b *builder) goComponents(ctx context.Context) ([]sbom.Component, error) {
	programs := []string{b.temp("init")}
	for _, name := range b.contents.paths() {
		if e := b.contents[name]; e.source != "" && !strings.HasPrefix(e.source, b.debian.Dir) && e.mode&0o111 != 0 {
			programs = append(programs, e.source)
		}
	}
	cache, err := b.root.Go("env", "GOMODCACHE").Output(ctx)
	if err != nil {
		return nil, err
	}
	modules, err := sbom.Modules(programs, strings.TrimSpace(string(cache)))
	if err != nil {
		return nil, err
	}
	var out []sbom.Component
	for _, m := range modules {
		licence, err := m.Licence()
		if err != nil {
			return nil, err
		}
		out = append(out, sbom.Component{Kind: sbom.Go, Name: m.Path, Version: m.Version, Licence: licence})
		for name, text := range m.Texts {
			b.contents.file(path.Join(licencesDir, "go", m.Path+"@"+m.Version, name), text, 0o644)
		}
	}
	return out, nil
}

func (b *builder) writeSBOM() (err error) {
	f, err := os.Create(b.out(SBOMFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return sbom.Write(f, sbom.Image{
		Variant: b.opt.Variant, Version: b.opt.Version, Suite: suite, RootHash: b.hash.String(), Components: b.components,
	})
}
