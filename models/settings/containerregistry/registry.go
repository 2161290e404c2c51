// Package containerregistry holds the settings of image registries: mirrors to
// fetch images from and credentials to show them.
package containerregistry

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Settings is the group container-registry.
type Settings struct {
	// Mirrors of registries, for all images that the host fetches. Each is a table
	// of a registry and its endpoints, as in { registry = "docker.io", endpoint =
	// ["https://mirror.example.org"] }. The older form of one table, from registry
	// to endpoints, is accepted and stored as such a list. A change replaces the
	// whole list and is used from the next fetch on.
	Mirrors Mirrors `setting:"mirrors"`

	// Credentials for registries that ask for them. Each is a table of a registry
	// and either a user name and password, or auth, or an identity token. A change
	// replaces the whole list and is used from the next fetch on. Reads hide the
	// secrets.
	Credentials []Credential `setting:"credentials" alias:"creds"`
}

// A Mirror says where else the images of a registry are found.
type Mirror struct {
	// The registry that is mirrored, as it stands in image names: docker.io, for
	// instance. "*" stands for all that have no mirror of their own.
	Registry *Name `setting:"registry"`

	// The addresses of the mirrors, tried in this order before the registry
	// itself.
	Endpoint []Endpoint `setting:"endpoint"`
}

// Mirrors is the list of mirrors.
type Mirrors []Mirror

// Reshape turns the older form, a table from registry to endpoints, into the
// list.
func (Mirrors) Reshape(n *syntax.Node) *syntax.Node {
	if n.Kind != syntax.Table {
		return n
	}
	list := syntax.NewArray()
	list.Pos = n.Pos
	for _, f := range n.Fields {
		registry := syntax.NewString(f.Name)
		registry.Pos = f.Pos
		mirror := syntax.NewTable(
			syntax.Field{Name: "registry", Pos: f.Pos, Value: registry},
			syntax.Field{Name: "endpoint", Pos: f.Pos, Value: f.Value},
		)
		mirror.Pos = f.Pos
		list.Items = append(list.Items, mirror)
	}
	return list
}

// Check reports entries that contradict one another and entries of no effect.
func (s *Settings) Check(p report.Place) {
	checkMirrors(s.Mirrors, p)
	checkCredentials(s.Credentials, p)
}

func checkMirrors(mirrors Mirrors, p report.Place) {
	seen := map[string]int{}
	for i, m := range mirrors {
		at := p.In(fmt.Sprintf("mirrors[%d]", i))
		if m.Registry == nil || m.Registry.String() == "" {
			at.Warn("registry", nil, "the mirror names no registry, so it is not used", `set registry, to "*" for all registries`)
			continue
		}
		name := m.Registry.String()
		if len(m.Endpoint) == 0 {
			at.Warn("endpoint", nil, "the mirror of "+name+" has no endpoint, so it is not used", "add an endpoint, or remove the mirror")
		}
		if first, dup := seen[name]; dup {
			at.Conflict("registry", name,
				fmt.Sprintf("%s has a mirror in mirrors[%d] already", name, first),
				"put all endpoints of a registry into one entry")
			continue
		}
		seen[name] = i
	}
}
