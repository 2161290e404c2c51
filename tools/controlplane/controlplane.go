// Package controlplane runs the control plane of a Kubernetes cluster on this
// computer.
//
// Its programs listen on the loopback address, and keep what they know in one
// directory: started again there, the cluster is the same. They end with this
// program, however it ends. What a managed control plane would do for nodes that
// join is done by this one: it knows bootstrap tokens, and approves the
// certificates that nodes serve with.
package controlplane

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
)

// The networks of a cluster.
const (
	Domain    = "cluster.local"
	PodCIDR   = "10.244.0.0/16"
	services  = "10.96.0.0/16"
	DNS       = "10.96.0.10" // the service that resolves names
	firstAddr = "10.96.0.1"  // the service that is the API
)

// Options say what a control plane is like.
type Options struct {
	Release kubernetes.Release
	Dir     string
	Name    string // of the cluster
	Port    int    // of the API; another one is taken if it is 0
	// Address is where nodes reach the loopback address of this computer; empty
	// where there are none.
	Address string
	// Dial connects to nodes; nil where this computer reaches them itself.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	Log  *slog.Logger
}

// A ControlPlane is one that runs. Its Stop must be called.
type ControlPlane struct {
	Client *kubeclient.Client // as an admin
	Port   int                // of the API

	opt      Options
	pki      *kubepki.PKI
	ports    *ports
	programs []*program // in the order in which they were started

	stop    context.CancelFunc // of what this process does itself
	working sync.WaitGroup

	once  sync.Once
	ended chan struct{}
	err   error // why it ended by itself; set before ended is closed
}

// starting is how long the programs may take until they answer.
const starting = 3 * time.Minute

// Start returns a control plane once it answers. It ends with ctx.
func Start(ctx context.Context, opt Options) (*ControlPlane, error) {
	if bin := opt.Release.Missing(); bin != "" {
		return nil, fmt.Errorf("there is no %s: build it first", bin)
	}
	c := &ControlPlane{opt: opt, ended: make(chan struct{})}
	err := c.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("start the control plane of %s: %w", opt.Name, errors.Join(err, c.Stop()))
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context) (err error) {
	ctx, c.stop = context.WithCancel(ctx)
	for _, dir := range []string{c.opt.Dir, c.path("logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if c.ports, err = reserve(c.opt.Port); err != nil {
		return err
	}
	c.Port = c.ports.api
	if err := c.identify(time.Now()); err != nil {
		return err
	}
	if err := c.serveProxy(ctx); err != nil {
		return err
	}
	if c.Client, err = kubeclient.Load(c.Kubeconfig()); err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, starting, fmt.Errorf("no answer within %s", starting))
	defer cancel()
	if err := c.startPrograms(ctx, limited); err != nil {
		return err
	}
	if err := c.Client.Apply(limited, joinManifest); err != nil {
		return err
	}
	c.working.Go(func() { c.approve(ctx) })
	c.working.Go(func() { c.watch(ctx) })
	return nil
}

//go:embed manifests/join.yaml
var joinManifest []byte

func (c *ControlPlane) path(elem ...string) string {
	return filepath.Join(append([]string{c.opt.Dir}, elem...)...)
}

// Kubeconfig is the file with which admins reach the API from this computer.
func (c *ControlPlane) Kubeconfig() string { return KubeconfigFile(c.opt.Dir) }

// KubeconfigFile is where a control plane in dir puts what Kubeconfig returns.
func KubeconfigFile(dir string) string { return filepath.Join(dir, "kubeconfig") }

// identify makes certificates, and how the programs find the API and each other.
func (c *ControlPlane) identify(now time.Time) (err error) {
	if c.pki, err = kubepki.Open(c.path("pki"), now); err != nil {
		return err
	}
	addresses := append(kubepki.Local(Domain), firstAddr)
	if c.opt.Address != "" {
		addresses = append(addresses, c.opt.Address)
	}
	if err := c.pki.ControlPlane(addresses, now); err != nil {
		return err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", c.Port)
	for file, user := range map[string]string{"kubeconfig": "admin", "controller-manager.conf": "controller-manager", "scheduler.conf": "scheduler"} {
		if err := c.pki.WriteKubeconfig(c.path(file), c.opt.Name, server, user); err != nil {
			return err
		}
	}
	return nil
}

// Ended is closed when a program of the control plane has ended by itself.
func (c *ControlPlane) Ended() <-chan struct{} { return c.ended }

// watch waits for the first program that ends by itself.
func (c *ControlPlane) watch(ctx context.Context) {
	first := make(chan *program, len(c.programs))
	for _, p := range c.programs {
		c.working.Go(func() {
			select {
			case <-p.ended:
				first <- p
			case <-ctx.Done():
			}
		})
	}
	select {
	case p := <-first:
		c.err = fmt.Errorf("%s has ended: %w; its log is %s", p.name, p.err, p.log)
		close(c.ended)
	case <-ctx.Done():
	}
}

// Stop ends the control plane and waits for it. It returns an error when a part
// of it had ended by itself.
func (c *ControlPlane) Stop() error {
	c.once.Do(func() {
		c.stop()
		c.working.Wait()
		for i := len(c.programs) - 1; i >= 0; i-- {
			c.programs[i].end()
		}
		if c.ports != nil {
			c.ports.release()
		}
		if c.Client != nil {
			c.Client.Close()
		}
	})
	return c.err
}
