// Package contexts keeps the nodes that a person's apiclient can reach over the
// network, each under a name with how to know it and what to show it.
//
// They are one TOML file, contexts.toml in $XDG_CONFIG_HOME/bulkhead, for its
// owner alone. It is read strictly: what is not known there is a fault with its
// line and column. A change locks the directory, reads the file again and
// replaces it whole, so that programs may make changes at the same time.
package contexts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/internal/durable"
	"github.com/bulkhead-os/bulkhead/api/pki"
)

// A Context is how one node is reached.
type Context struct {
	Name        string `toml:"-" json:"name"`
	Endpoint    string `toml:"endpoint" json:"endpoint"`                           // host:port
	Fingerprint string `toml:"fingerprint,omitempty" json:"fingerprint,omitempty"` // of the node's certificate
	CA          string `toml:"ca,omitempty" json:"ca,omitempty"`                   // file of authorities
	Certificate string `toml:"certificate" json:"certificate"`                     // file
	Key         string `toml:"key,omitempty" json:"key,omitempty"`                 // file; none if it is in that of the certificate
}

// Check returns what is wrong with c as it is written, and brings its endpoint
// and its fingerprint into one form.
func (c *Context) Check() error {
	if !pki.ValidName(c.Name) {
		return fmt.Errorf("context name %q: want 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or digit", c.Name)
	}
	return c.CheckWay()
}

// CheckWay does the same for all but the name, which a context that is not kept
// need not have.
func (c *Context) CheckWay() error {
	var err error
	if c.Endpoint == "" {
		return errors.New("there is no endpoint")
	}
	if c.Endpoint, err = client.ParseEndpoint(c.Endpoint); err != nil {
		return err
	}
	if c.Fingerprint != "" {
		if c.Fingerprint, err = client.ParseFingerprint(c.Fingerprint); err != nil {
			return err
		}
	}
	switch {
	case c.Fingerprint == "" && c.CA == "":
		return errors.New("nothing says how to know the node: want the fingerprint of its certificate or a CA")
	case c.Certificate == "":
		return errors.New("there is no certificate to show to the node")
	}
	return nil
}

// Remote reads the files that c names.
func (c Context) Remote() (*client.Remote, error) {
	r := &client.Remote{Endpoint: c.Endpoint, Fingerprint: c.Fingerprint}
	for _, f := range []struct {
		path, what string
		into       *[]byte
	}{{c.CA, "the CA", &r.CA}, {c.Certificate, "the certificate", &r.Certificate}, {c.Key, "the key", &r.Key}} {
		if f.path == "" {
			continue
		}
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("read %s to reach %s with: %w", f.what, c.Endpoint, err)
		}
		*f.into = data
	}
	return r, nil
}

// A File is what is kept: the contexts in the order of their names.
type File struct {
	Current  string // name of one of them, or empty
	Contexts []Context
}

// An Unknown error says that there is no context of a name.
type Unknown struct {
	Name string
	Have []string
}

// Error lists what there is.
func (e *Unknown) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("there is no context %q: there are none", e.Name)
	}
	return fmt.Sprintf("there is no context %q: there are %s", e.Name, strings.Join(e.Have, ", "))
}

// Find returns the context called name.
func (f *File) Find(name string) (Context, error) {
	i := f.index(name)
	if i < 0 {
		return Context{}, &Unknown{Name: name, Have: f.Names()}
	}
	return f.Contexts[i], nil
}

// Names returns the names of all contexts.
func (f *File) Names() []string {
	var out []string
	for _, c := range f.Contexts {
		out = append(out, c.Name)
	}
	return out
}

func (f *File) index(name string) int {
	return slices.IndexFunc(f.Contexts, func(c Context) bool { return c.Name == name })
}

// Set puts c in the place of the context of the same name, or adds it.
func (f *File) Set(c Context) {
	f.drop(c.Name)
	f.Contexts = append(f.Contexts, c)
	slices.SortFunc(f.Contexts, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
}

// Remove takes out the context called name. If it was the current one, there is
// none afterwards.
func (f *File) Remove(name string) error {
	if f.index(name) < 0 {
		return &Unknown{Name: name, Have: f.Names()}
	}
	f.drop(name)
	if f.Current == name {
		f.Current = ""
	}
	return nil
}

func (f *File) drop(name string) {
	f.Contexts = slices.DeleteFunc(f.Contexts, func(c Context) bool { return c.Name == name })
}

// DefaultDir returns the directory of the person who runs the program:
// $XDG_CONFIG_HOME/bulkhead, usually ~/.config/bulkhead.
func DefaultDir() (string, error) {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the directory of contexts: %w", err)
		}
		config = filepath.Join(home, ".config")
	}
	if !filepath.IsAbs(config) {
		return "", fmt.Errorf("XDG_CONFIG_HOME is %q, want an absolute path", config)
	}
	return filepath.Join(config, "bulkhead"), nil
}

const fileName = "contexts.toml"

// maxFile bounds what is read: each context takes some hundred bytes.
const maxFile = 4 << 20

// Path returns the path of the file in the directory dir.
func Path(dir string) string { return filepath.Join(dir, fileName) }

// Load reads the contexts in the directory dir. Without a file there are none.
func Load(dir string) (File, error) {
	data, err := os.ReadFile(Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("read the contexts: %w", err)
	}
	return parse(data, Path(dir))
}

// Change lets f change the contexts in the directory dir, and writes them
// unless f returns an error.
func Change(dir string, f func(*File) error) error {
	unlock, err := durable.Lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	file, err := Load(dir)
	if err != nil {
		return err
	}
	if err := f(&file); err != nil {
		return err
	}
	data, err := encode(file)
	if err != nil {
		return err
	}
	return durable.Write(Path(dir), data, 0o600)
}
