// Package recipe reads the definitions of packages, the parts that images are
// put together from.
//
// A definition says where the files of a package come from, which files are
// rendered from settings, and which units follow when such a file changes. It
// is data: building, rendering and applying are done elsewhere.
package recipe

import (
	"io/fs"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// A Package is the definition of one package.
type Package struct {
	Name     string
	Summary  string // one line
	License  string // an SPDX expression
	Tmpfiles string // names of files beside package.toml, or empty
	Sysusers string
	Sysctl   string

	Debian   []Debian
	Modules  []Module
	Programs []Program
	Images   []Image
	Files    []File
	Units    []Unit
	Configs  []Config
	Actions  []Action
	Reads    []Reads

	Templates map[string]string // text by file name; set by Load
}

// A Debian names files of a Debian package.
type Debian struct {
	Package string
	Keep    []string // absolute paths in the form of path.Match
}

// A Module is a command built from a Go module, or many of them in one file.
type Module struct {
	Package  string   // import path; empty where there are Packages
	Packages []string // import paths of commands that share the file
	Links    string   // absolute path of the directory with a link for each of Packages
	Output   string   // absolute path in the image
	Tags     []string
	Ldflags  []string
}

// A Program is one of our own programs.
type Program struct {
	Name string
	Path string // absolute path in the image
}

// An Image is an archive with an image of containers that is made along with
// that of the node.
type Image struct {
	Name string
	Path string // absolute path in the image
}

// A File is a file that stands beside package.toml and is in the image as it
// is.
type File struct {
	Source string
	Path   string
	Mode   fs.FileMode
}

// A Unit is a systemd unit that the package declares.
type Unit struct {
	Name   string // "x@.service" for a template unit
	File   string // beside package.toml, or empty when a Debian package brings it
	Enable bool   // started at boot
	After  []string
	// WithFiles says that the unit runs exactly while a rendered file of its is
	// wanted.
	WithFiles bool
}

// A Config is a file rendered from settings, or one file per entry of a
// setting.
type Config struct {
	Path     string // with ForEach a template
	Template string // name of a file beside package.toml
	Mode     fs.FileMode
	Owner    string
	Group    string
	Units    []string // with ForEach templates
	OnChange OnChange

	ForEach   key.Key // the root when there is one file only
	When      []Condition
	WhenNot   []Condition
	Reads     []key.Key // beyond what the template shows
	OmitEmpty bool      // not wanted while the template gives only white space
	Secret    bool      // the content is never shown
}

// IsForEach reports whether c stands for one file per entry of ForEach.
func (c *Config) IsForEach() bool { return !c.ForEach.IsRoot() }

// An OnChange says what follows when a file changes: one of the constants, or
// the name of an action of the same package.
type OnChange string

// What may follow for the units of a file.
const (
	Restart OnChange = "restart"
	Reload  OnChange = "reload"
	Nothing OnChange = "none"
	// ReloadOrStart is for units that are passed over at boot while there is no
	// file for them: one that does not run is started.
	ReloadOrStart OnChange = "reload-or-start"
)

// Action returns the name of the action that o asks for, or "".
func (o OnChange) Action() string {
	switch o {
	case Restart, Reload, ReloadOrStart, Nothing:
		return ""
	}
	return string(o)
}

// A Condition is a setting that must be set to something, or must not.
type Condition struct {
	Key    key.Key
	Member bool // Key is a member of the entry of for-each
}

// String returns the condition as it is written.
func (c Condition) String() string {
	if c.Member {
		return c.Key.String()[len(key.Root):]
	}
	return c.Key.String()
}

// An Action is a program that runs when a file changes.
type Action struct {
	Name string
	Exec []string
}

// Reads names settings that a program reads by itself.
type Reads struct {
	Settings []key.Key
	By       string
}

// Sources returns the names of the files beside package.toml that p uses, in
// the order of the definition and each once.
func (p *Package) Sources() []string {
	var out []string
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	add(p.Tmpfiles)
	add(p.Sysusers)
	add(p.Sysctl)
	for _, f := range p.Files {
		add(f.Source)
	}
	for _, u := range p.Units {
		add(u.File)
	}
	for _, c := range p.Configs {
		add(c.Template)
	}
	return out
}
