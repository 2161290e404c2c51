// Package hostcontainerd runs containers in the instance of containerd that is
// the host's own.
//
// Nothing of ours stays with a container that runs. Its processes are in the
// control group of the unit that started it, so that the service manager knows
// when it has ended; what it writes goes to the journal by a connection that it
// got at its start. containerd may be killed and come back meanwhile.
package hostcontainerd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	logging "github.com/containerd/log"

	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// Socket is where the host's instance of containerd listens.
const Socket = "/run/host-containerd/containerd.sock"

// namespace is that of all containers of the host. Tools of others look here.
const namespace = "default"

// patience is how long a restart of containerd may take.
const patience = 30 * time.Second

// Options say where the parts of a host are. The zero value is those of a node.
type Options struct {
	Socket   string // of containerd
	Data     string // directory in which containerd keeps images
	Unit     string // started when there is no socket; empty to wait for somebody else
	Root     string // of the file system that containers get parts of
	Registry string // directory of certs.d and credentials.toml
	Journal  string // socket to which what containers write goes
	Helper   string // our program that containers are started by, which goes by the name it is called by
	Images   string // directory of archives of images
	RuncRoot string
	Runc     string
	Pipes    string // directory for the pipes of programs that are run in containers
	Cgroup   string // control group below which those of containers are made; found when empty

	Grace     time.Duration // for containers to end after they were asked to; 20 s when zero
	FirstWait time.Duration // before an image is asked for again, doubled each time; 1 s when zero
	Silence   time.Duration // after which a registry that sends nothing is given up; 30 s when zero
}

func (o *Options) fill() {
	for at, value := range map[*string]string{
		&o.Socket: Socket, &o.Data: "/var/lib/host-containerd", &o.Root: "/", &o.Registry: "/etc/containerd",
		&o.Journal: "/run/systemd/journal/stdout", &o.Helper: "/usr/bin/bulkhead-containers",
		&o.Pipes: "/run/bulkhead/container-pipes", &o.Images: "/usr/share/bulkhead/images", &o.RuncRoot: "/run/host-containerd/runc", &o.Runc: "runc",
	} {
		*at = cmp.Or(*at, value)
	}
	o.Grace = cmp.Or(o.Grace, grace)
	o.FirstWait = cmp.Or(o.FirstWait, firstWait)
	o.Silence = cmp.Or(o.Silence, silence)
}

// A Client runs containers. It is safe for concurrent use.
type Client struct {
	containerd *containerd.Client
	opt        Options
	log        *slog.Logger
}

// Unit is the service that containerd is on a node. A node without containers of
// the host does without it.
const Unit = "host-containerd.service"

// Connect returns a Client once containerd answers.
func Connect(ctx context.Context, opt Options, log *slog.Logger) (*Client, error) {
	opt.fill()
	if opt.Unit != "" && !exists(opt.Socket) {
		if _, err := program.Run(ctx, patience, "/usr/bin/systemctl", "start", opt.Unit); err != nil {
			return nil, err
		}
	}
	// What the library tells of its tries is in our errors, or of no interest.
	if err := logging.SetLevel("warn"); err != nil {
		return nil, err
	}
	c, err := containerd.New(opt.Socket, containerd.WithDefaultNamespace(namespace), containerd.WithTimeout(time.Second))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := c.Version(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("ask containerd at %s for its version: %w", opt.Socket, err)
	}
	return &Client{containerd: c, opt: opt, log: log}, nil
}

// Close ends the connection. Containers go on.
func (c *Client) Close() error { return c.containerd.Close() }

// path returns where the file of the host is that containers know by name.
func (c *Client) path(name string) string { return filepath.Join(c.opt.Root, name) }
