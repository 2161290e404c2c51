// Package variant reads the definitions of the variants, the kinds of image
// that Bulkhead is built as: which groups of settings an image has and what
// their defaults are.
package variant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// A Variant is one kind of image.
type Variant struct {
	Name     string
	Platform string   // aws, vmware, metal, qemu
	Runtime  string   // k8s, ecs, dev
	Version  string   // of the runtime, "1.36"; empty where it has none
	Flavor   string   // "nvidia" and the like; empty for the plain one
	Arch     []string // supported architectures, as in "x86_64"
	Summary  string   // one line
	Packages []string // what the image is made of, in the order of the file

	// Embed has the images of containers that are part of the operating system: what
	// each is made of, by its name or that of the host container that it is for.
	Embed map[string]string

	Schema   *schema.Schema
	Defaults document.Document // the default layer
}

// definition is the form of a variant's file.
type definition struct {
	Variant struct {
		Name     string   `toml:"name"`
		Platform string   `toml:"platform"`
		Runtime  string   `toml:"runtime"`
		Version  string   `toml:"version"`
		Flavor   string   `toml:"flavor"`
		Arch     []string `toml:"arch"`
		Summary  string   `toml:"summary"`
		Settings []string `toml:"settings"`
		Include  []string `toml:"include"`
		Packages []string `toml:"packages"`
	} `toml:"variant"`
	Defaults map[string]any    `toml:"defaults"`
	Embed    map[string]string `toml:"embed"`
}

// Names returns the names of the variants in fsys, sorted.
func Names(fsys fs.FS) ([]string, error) {
	files, err := fs.Glob(fsys, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list variants: %w", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".toml")
	}
	slices.Sort(files)
	return files, nil
}

// Load reads the variant called name from fsys.
func Load(fsys fs.FS, name string) (*Variant, error) {
	def, err := read(fsys, name)
	if err != nil {
		return nil, err
	}
	d := def.Variant
	v := &Variant{
		Name: d.Name, Platform: d.Platform, Runtime: d.Runtime, Version: d.Version, Flavor: d.Flavor, Arch: d.Arch, Summary: d.Summary,
		Packages: d.Packages, Embed: def.Embed,
		Schema: schema.For(settings.Type, d.Name, d.Settings),
	}
	for _, g := range d.Settings {
		if !slices.Contains(v.Schema.AllGroups(), g) {
			return nil, fmt.Errorf("variant %s: there is no settings group %q", name, g)
		}
	}
	for i, p := range d.Packages {
		if slices.Contains(d.Packages[:i], p) {
			return nil, fmt.Errorf("variant %s: the package %q is listed twice", name, p)
		}
	}
	for _, inc := range d.Include {
		data, err := fs.ReadFile(fsys, inc)
		if err != nil {
			return nil, fmt.Errorf("variant %s: include %s: %w", name, inc, err)
		}
		if err := v.addDefaults(inc, data); err != nil {
			return nil, err
		}
	}
	own, err := toml.Marshal(map[string]any{"settings": def.Defaults})
	if err != nil {
		return nil, fmt.Errorf("variant %s: defaults: %w", name, err)
	}
	if err := v.addDefaults(name, own); err != nil {
		return nil, err
	}
	return v, v.check()
}

func read(fsys fs.FS, name string) (definition, error) {
	var def definition
	data, err := fs.ReadFile(fsys, name+".toml")
	if err != nil {
		names, _ := Names(fsys)
		return def, fmt.Errorf("there is no variant %q, want one of %s", name, strings.Join(names, ", "))
	}
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&def); err != nil {
		return def, fmt.Errorf("variant %s: %w", name, err)
	}
	if def.Variant.Name != name {
		return def, fmt.Errorf("variant %s: its file calls it %q", name, def.Variant.Name)
	}
	return def, nil
}

// addDefaults lays the settings in data over the defaults so far.
func (v *Variant) addDefaults(source string, data []byte) error {
	in := v.Schema.ReadTOML(data, schema.Options{})
	if err := in.Report.Err(); err != nil {
		return fmt.Errorf("variant %s: defaults in %s: %w", v.Name, source, err)
	}
	v.Defaults = v.Defaults.Apply(in.Patch)
	return nil
}

func (v *Variant) check() error {
	rep := v.Schema.Check(v.Defaults)
	if err := rep.Err(); err != nil {
		return fmt.Errorf("variant %s: defaults: %w", v.Name, err)
	}
	return nil
}

// ImageName returns the name of the image that is embedded as name: the source of
// the host container called that by default, or else name itself.
func (v *Variant) ImageName(name string) (string, error) {
	if strings.ContainsAny(name, "/:") {
		return name, nil
	}
	k, err := key.Parse("host-containers." + name + ".source")
	if err != nil {
		return "", err
	}
	var source string
	if text, ok := v.Defaults.Get(k); ok {
		err := json.Unmarshal([]byte(text.JSON()), &source)
		return source, err
	}
	return "", fmt.Errorf("variant %s has no host container %q with an image; write the whole name of the image", v.Name, name)
}

// Effective merges the layers: user over generated over defaults.
func (v *Variant) Effective(user, generated document.Document) document.Document {
	return document.Merge(user, generated, v.Defaults)
}

// Validate checks what the layers come to as a whole.
func (v *Variant) Validate(user, generated document.Document) (document.Document, report.Report) {
	effective := v.Effective(user, generated)
	return effective, v.Schema.Check(effective)
}
