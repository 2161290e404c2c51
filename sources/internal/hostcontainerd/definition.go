package hostcontainerd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
)

// userData is the file in a container's directory that has what it was told.
const userData = "user-data"

// A Kind is what a container is for, on which depends what it may do.
type Kind string

// The kinds of container.
const (
	Host      Kind = "host"      // serves the operators of the node
	Bootstrap Kind = "bootstrap" // prepares the node while it boots
	Debug     Kind = "debug"     // for as long as somebody looks into something
	Declared  Kind = "declared"  // does what the node is for
)

// directory is where what containers of the kind keep is, on the host below
// /local and in a container below each of our names.
func (k Kind) directory() string { return string(k) + "-containers" }

// ID returns the name by which containerd knows the container of the kind.
func (k Kind) ID(name string) string {
	switch k {
	case Bootstrap:
		return "boot." + name
	case Declared:
		return "container." + name
	}
	return name
}

// A Proxy is by what way a container, and who fetches its image, gets out.
type Proxy struct {
	HTTPS  string   `toml:"https"`
	Direct []string `toml:"direct"` // hosts, domains and networks that are reached without it
}

// A Definition says what a container is.
type Definition struct {
	Name string `toml:"-"`
	Kind Kind   `toml:"-"`

	Source       string   `toml:"source"`
	Superpowered bool     `toml:"superpowered"`
	Command      []string `toml:"command"`
	UserData     string   `toml:"user-data"` // in base64
	Proxy        Proxy    `toml:"proxy"`

	Service *Service `toml:"-"` // of a declared container
}

// ID returns the name by which containerd knows the container.
func (d Definition) ID() string { return d.Kind.ID(d.Name) }

// users returns as whom the node knows the users of the container, where that is
// not who they are.
func (d Definition) users(l containernet.Lease) []specs.LinuxIDMapping {
	if d.Service == nil {
		return nil
	}
	return d.Service.users(l)
}

// Read decodes the file of a container into v, which holds a Definition, and
// returns the name of the container: that of the file.
func Read(file string, v any) (string, error) {
	name, ok := strings.CutSuffix(filepath.Base(file), ".toml")
	if !ok {
		return "", fmt.Errorf("%s has no name that ends in .toml", file)
	}
	if _, err := scalar.ParseIdentifier(name); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(v); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return name, nil
}

// prepare makes the directory that outlives the container and puts the user data
// there. Without user data there is no file either: what a container was told
// once does not stay for good.
func (c *Client) prepare(d Definition, lease containernet.Lease) (string, error) {
	if d.Service != nil {
		return c.prepareService(d, lease)
	}
	dir := c.path(filepath.Join("/local", d.Kind.directory(), d.Name))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if d.UserData == "" {
		return dir, atomicfile.Remove(root, userData)
	}
	data, err := base64.StdEncoding.DecodeString(d.UserData)
	if err != nil {
		return "", fmt.Errorf("user data: %w", err)
	}
	if had, err := root.ReadFile(userData); err == nil && bytes.Equal(had, data) {
		return dir, nil // what would be written is synced, which takes its time
	}
	return dir, atomicfile.Replace(root, userData, data, atomicfile.Attributes{Mode: 0o600, UID: -1, GID: -1})
}
