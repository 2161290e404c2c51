// Package containers holds the settings of declared containers: services of the
// node in containers that no orchestrator runs.
package containers

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/resources"
)

// Settings is the group containers: the containers by name. The name is also
// that of the systemd unit (container@NAME.service), of the host inside and of
// the directory with the container's volumes (/var/lib/containers-data/NAME).
type Settings map[Name]Container

// A Container is one declared container.
type Container struct {
	// The image to run, for example registry.example.org/team/web:v1. With a digest
	// in its name it is fetched once; with a tag it is looked for on each start, and
	// the copy from before is used when the registry does not answer. A container
	// that is not off needs one.
	Image *scalar.ImageRef `setting:"image"`

	// Whether the container runs. Setting it starts or stops the container at once,
	// and decides whether it is started on the following boots. Unset means true: a
	// container that is declared runs.
	Enabled *bool `setting:"enabled"`

	// The program in the image with its first arguments, in place of what the image
	// names as its entry point. Each element is one word; no shell takes part.
	Command []scalar.SingleLine `setting:"command"`

	// Arguments for the program, in place of those that the image names. Each
	// element is one word.
	Args []scalar.SingleLine `setting:"args"`

	// Variables in the environment of the program, by name. They are no place for
	// secrets, which have secret-env.
	Env map[EnvName]scalar.SingleLine `setting:"env"`

	// Variables in the environment whose values are secrets: the name of each with
	// the name of a secret in settings.container-secrets. What is run with "apiclient
	// exec" does not get them.
	SecretEnv map[EnvName]scalar.Identifier `setting:"secret-env"`

	// Names of secrets in settings.container-secrets that the container has as
	// files, each as /run/secrets/NAME, readable for its user.
	SecretFiles []scalar.Identifier `setting:"secret-files"`

	// Whether the container has the network of the node ("host") or an address on
	// the bridge of the containers ("bridge"), from which it reaches others, and is
	// reached itself at the ports that are forwarded. Unset means "bridge".
	Network *Network `setting:"network"`

	// Ports of the node that are forwarded to the container, each as PORT of the
	// node, a colon, PORT of the container and, unless it is TCP, the protocol:
	// "8080:80", "53:53/udp". Only for network = "bridge".
	Ports []Port `setting:"ports"`

	// Directories that the container keeps, by name: each is
	// /var/lib/containers-data/CONTAINER/NAME on the node, and stays there when the
	// container goes.
	Volumes map[Name]Volume `setting:"volumes"`

	// Files of the node that the container may read, at the same paths.
	HostFiles []HostFile `setting:"host-files"`

	// How to find out whether the container works. It is asked once it runs, and
	// from then on; the health of the node says when it does not.
	Health *Health `setting:"health"`

	// When a container that has ended is started again: "always"; "on-failure", which
	// is any exit status but 0 or a signal; or "never". The first time after a
	// second, later after up to a minute. Unset means "always".
	Restart *Restart `setting:"restart"`

	// How much of the node the container may take. A change holds at once, and the
	// container runs on.
	Resources *resources.Limits `setting:"resources"`

	// Who the program runs as, in place of what the image says: the name or number
	// of a user of the image and, behind a colon, of a group.
	User *User `setting:"user"`

	// The rights of the program beside, and without, the usual few: chown,
	// dac-override, fowner, fsetid, kill, net-bind-service, setgid and setuid.
	Capabilities *Capabilities `setting:"capabilities"`

	// Whether the files of the image cannot be changed. /tmp and /run can, and are
	// kept in memory. Unset means false: changes are lost when the container is made
	// anew.
	ReadOnlyRoot *bool `setting:"read-only-root"`

	// Names of containers that run before this one is started, and, where they have
	// a health, are healthy. One that is off is not waited for.
	After []Name `setting:"after"`
}

// A Volume is a directory that a container keeps.
type Volume struct {
	// Where the container has the directory.
	Path *Path `setting:"path" required:"true"`

	// Whether the container can only read it. Unset means false.
	ReadOnly *bool `setting:"read-only"`
}

// Capabilities change what the program of a container may do.
type Capabilities struct {
	// Rights that the container has beside the usual.
	Add []Capability `setting:"add"`

	// Usual rights that the container does without; "all" stands for each of them.
	Drop []Dropped `setting:"drop"`
}

// Health says how to find out whether a container works: by exactly one of
// command, http and tcp.
type Health struct {
	// A program in the image, with its arguments, that ends with status 0 when all
	// is well. Each element is one word.
	Command []scalar.SingleLine `setting:"command"`

	// An address that answers to a GET with a status from 200 to 399, where the host
	// "localhost" stands for the container: "http://localhost:8080/healthz". With
	// network = "bridge" the program has to listen at its outer address, too.
	HTTP *Address `setting:"http"`

	// A port of the container that takes TCP connections.
	TCP *PortNumber `setting:"tcp"`

	// The time between two tries, from 1s to 24h. Unset means 30s.
	Interval *Span `setting:"interval"`

	// How long one try may take, from 1s to 10m. Unset means 5s.
	Timeout *Span `setting:"timeout"`

	// How many tries fail in a row until the container counts as not healthy. Unset
	// means 3.
	Retries *Retries `setting:"retries"`

	// How long after its start a container may be busy with itself: tries that fail
	// do not count. Unset means not at all.
	StartPeriod *Span `setting:"start-period"`
}

// Runs reports whether the container is to run.
func (c Container) Runs() bool { return c.Enabled == nil || *c.Enabled }

// bridged reports whether the container has a network of its own.
func (c Container) bridged() bool { return c.Network == nil || *c.Network == Bridge }

// Names returns the names of the containers in order.
func (s Settings) Names() []Name { return slices.SortedFunc(maps.Keys(s), Name.Compare) }
