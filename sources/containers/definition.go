package containers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/settings/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// usual is what a program in a container may do unless settings say otherwise.
var usual = []string{"chown", "dac-override", "fowner", "fsetid", "kill", "net-bind-service", "setgid", "setuid"}

// A definition is what the file of a container says: its settings, as they are
// written, and what they refer to.
type definition struct {
	Container container            `toml:"container"`
	Variables map[string]string    `toml:"variables"` // secrets
	Secrets   map[string]string    `toml:"secrets"`
	Proxy     hostcontainerd.Proxy `toml:"proxy"`
}

type container struct {
	Image        string            `toml:"image"`
	Command      []string          `toml:"command"`
	Args         []string          `toml:"args"`
	Env          map[string]string `toml:"env"`
	Network      string            `toml:"network"`
	Ports        []containers.Port `toml:"ports"`
	Volumes      map[string]volume `toml:"volumes"`
	HostFiles    []string          `toml:"host-files"`
	Health       *health           `toml:"health"`
	User         string            `toml:"user"`
	ReadOnlyRoot bool              `toml:"read-only-root"`
	After        []string          `toml:"after"`
	Capabilities struct {
		Add  []string `toml:"add"`
		Drop []string `toml:"drop"`
	} `toml:"capabilities"`

	// What others read: the template has the names and values of secrets apart, and
	// limits and the policy are the unit's.
	SecretEnv   map[string]string `toml:"secret-env"`
	SecretFiles []string          `toml:"secret-files"`
	Enabled     bool              `toml:"enabled"`
}

type volume struct {
	Path     string `toml:"path"`
	ReadOnly bool   `toml:"read-only"`
}

// health says how a container is asked how it is.
type health struct {
	Command     []string        `toml:"command"`
	HTTP        string          `toml:"http"`
	TCP         int             `toml:"tcp"`
	Interval    containers.Span `toml:"interval"`
	Timeout     containers.Span `toml:"timeout"`
	Retries     int             `toml:"retries"`
	StartPeriod containers.Span `toml:"start-period"`
}

// How a container is asked unless settings say otherwise. The interval is also in
// the unit of the timer.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 5 * time.Second
	defaultRetries  = 3
)

func (h *health) interval() time.Duration { return cmp.Or(h.Interval.Value(), defaultInterval) }
func (h *health) timeout() time.Duration  { return cmp.Or(h.Timeout.Value(), defaultTimeout) }
func (h *health) retries() int            { return cmp.Or(h.Retries, defaultRetries) }

func (c container) bridged() bool { return c.Network != string(containers.Host) }

// capabilities returns all that the program may do, as the kernel calls it.
func (c container) capabilities() []string {
	names := slices.DeleteFunc(append(slices.Clone(usual), c.Capabilities.Add...), func(name string) bool {
		dropped := slices.Contains(c.Capabilities.Drop, "all") && !slices.Contains(c.Capabilities.Add, name)
		return dropped || slices.Contains(c.Capabilities.Drop, name)
	})
	slices.Sort(names)
	names = slices.Compact(names)
	for i, name := range names {
		names[i] = "CAP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	return names
}

// read returns what the file of the container called name says.
func (p *host) read(name string) (definition, error) {
	var d definition
	_, err := hostcontainerd.Read(p.file(name), &d)
	return d, err
}

// build returns d as what makes containers takes it.
func (d definition) build(name string) hostcontainerd.Definition {
	c := d.Container
	s := &hostcontainerd.Service{
		Args: c.Args, Env: c.Env, SecretEnv: d.Variables, SecretFiles: d.Secrets, Bridged: c.bridged(), HostFiles: c.HostFiles,
		User: c.User, Capabilities: c.capabilities(), ReadOnlyRoot: c.ReadOnlyRoot, Volumes: map[string]hostcontainerd.Volume{},
	}
	for _, p := range c.Ports {
		s.Ports = append(s.Ports, containernet.Port{Host: uint16(p.Host()), Container: uint16(p.Container()), Protocol: p.Protocol()})
	}
	for name, v := range c.Volumes {
		s.Volumes[name] = hostcontainerd.Volume(v)
	}
	return hostcontainerd.Definition{
		Name: name, Kind: hostcontainerd.Declared, Source: c.Image, Command: c.Command, Proxy: d.Proxy, Service: s,
	}
}

// kept says where the volumes of the container called name are, for people.
func kept(name string) string { return fmt.Sprintf("%s/%s", hostcontainerd.VolumeDir, name) }
