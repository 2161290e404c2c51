// Package up brings virtual nodes up, from the sources to a healthy node that
// apiclient reaches.
//
// What is done already is not done again: a second call finds the image built,
// the certificates made and the nodes on, and says so. A node keeps its disk
// until it is deleted.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// DefaultCluster is the cluster that is meant when none is named.
const DefaultCluster = "dev"

// Dir is where clusters are kept.
func Dir(root workspace.Root) string { return root.Path("build", "vm") }

// Options say what nodes are wanted.
type Options struct {
	Cluster    string
	Variant    string
	Image      string // directory of an image that is there; empty to build that of the variant
	Nodes      int
	UserData   string // file; empty for none besides our own
	Memory     int    // MiB, of each node
	CPUs       int    // of each node
	DiskSize   int64  // bytes, of each node
	SecureBoot bool
	Limit      time.Duration // for all nodes to become healthy, from when the last was switched on
	Contexts   string        // directory of apiclient's contexts
	Verb       string        // with which this program becomes a supervisor, see cluster.Become
	Ask        func(question string) (bool, error)
	// ControlPlane says where that of nodes of Kubernetes runs: ControlPlaneAuto if
	// empty.
	ControlPlane string
}

// A job is one call of Run.
type job struct {
	root     workspace.Root
	opt      Options
	cluster  cluster.Cluster
	emulator vm.Emulator
	start    time.Time
	kube     *kubeSpec // of the control plane here; nil for none

	telling sync.Mutex // guards what follows
	out     io.Writer
}

// Run brings the nodes up and tells about it on out.
func Run(ctx context.Context, root workspace.Root, opt Options, out io.Writer) error {
	j, err := newJob(root, opt, out)
	if err != nil {
		return err
	}
	// What the user wrote is looked at before anything takes minutes.
	settings, err := readUserData(root, j.opt.Variant, j.opt.UserData)
	if err != nil {
		return err
	}
	if err := j.host(ctx); err != nil {
		return err
	}
	if err := j.image(ctx); err != nil {
		return err
	}
	if err := j.programs(ctx); err != nil {
		return err
	}
	if err := j.prepareControlPlane(ctx, settings); err != nil {
		return err
	}
	if j.emulator, err = vm.Prepare(ctx, j.root, j.out); err != nil {
		return err
	}
	nodes, err := j.prepare(ctx, settings)
	if err != nil {
		return err
	}
	if err := j.switchOn(ctx, nodes); err != nil {
		return err
	}
	if err := j.wait(ctx, nodes); err != nil {
		return err
	}
	if err := j.waitForNodes(ctx, nodes); err != nil {
		return err
	}
	j.welcome(nodes)
	return nil
}

// newJob returns the job that opt asks for.
func newJob(root workspace.Root, opt Options, out io.Writer) (*job, error) {
	c, err := cluster.New(Dir(root), opt.Cluster)
	if err != nil {
		return nil, err
	}
	if opt.Nodes < 1 || opt.Nodes > cluster.MaxMachines {
		return nil, fmt.Errorf("%d nodes: want 1 to %d", opt.Nodes, cluster.MaxMachines)
	}
	for _, l := range []struct {
		what         string
		n, low, most int64
	}{
		{"MiB of memory", int64(opt.Memory), 512, 1 << 20},
		{"processors", int64(opt.CPUs), 1, 64},
		{"GiB of disk", opt.DiskSize >> 30, 8, 1 << 14},
	} {
		if l.n < l.low || l.n > l.most {
			return nil, fmt.Errorf("%d %s for each node: want %d to %d", l.n, l.what, l.low, l.most)
		}
	}
	return &job{root: root, opt: opt, out: out, cluster: c, start: time.Now()}, nil
}

// say tells one thing that was done or found.
func (j *job) say(format string, args ...any) {
	j.telling.Lock()
	defer j.telling.Unlock()
	fmt.Fprintf(j.out, "%7.1fs  %s\n", time.Since(j.start).Seconds(), fmt.Sprintf(format, args...))
}

// A node is one that is wanted.
type node struct {
	name   string
	begun  bool // it was switched on in this call
	spec   cluster.Spec
	status cluster.Status
}

// prepare makes the disks and user data of the nodes that have none.
func (j *job) prepare(ctx context.Context, s settings) ([]*node, error) {
	a, err := j.authority()
	if err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	if s.joining, err = j.joining(); err != nil {
		return nil, fmt.Errorf("make certificates of the control plane: %w", err)
	}
	var nodes []*node
	for i := range j.opt.Nodes {
		n := &node{name: j.cluster.Machine(i + 1)}
		if err := j.prepareNode(ctx, n, i, a, s); err != nil {
			return nil, fmt.Errorf("prepare node %s: %w", n.name, err)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// apiPort is where nodes serve the remote API.
const apiPort = 8443

// firstPort is the port here of the API of the first node of a cluster, if it
// is free.
const firstPort = 18443

// spec returns what machine the node is.
func (j *job) spec(ctx context.Context, n *node, number int, userData []byte) (cluster.Spec, error) {
	spec := cluster.Spec{
		Name: n.name, Memory: j.opt.Memory, CPUs: j.opt.CPUs, Disk: j.cluster.Path(n.name, diskFile),
		Credentials: map[string]string{userDataCredential: string(userData)},
		Forwards:    []cluster.Forward{{Listen: fmt.Sprintf("127.0.0.1:%d", firstPort+number), Port: apiPort}},
	}
	if before, ok, err := j.cluster.Find(ctx, n.name); err != nil {
		return cluster.Spec{}, err
	} else if ok && len(before.Forwards) > 0 {
		spec.Forwards = before.Forwards // so that a context stays good
	}
	if isFile(j.cluster.Path(n.name, enrolledFile)) == nil {
		spec.SecureBoot = j.cluster.Path(n.name, enrolledFile)
	}
	return spec, nil
}

// switchOn switches the nodes on that are off, and tells apiclient of all.
func (j *job) switchOn(ctx context.Context, nodes []*node) error {
	become, err := cluster.Become(j.opt.Verb, j.cluster)
	if err != nil {
		return err
	}
	if err := j.cluster.Launch(ctx, become); err != nil {
		return err
	}
	for _, n := range nodes {
		before, known, err := j.cluster.Find(ctx, n.name)
		if err != nil {
			return err
		}
		if n.status, err = j.cluster.Start(ctx, n.spec); err != nil {
			return fmt.Errorf("switch on %s: %w", n.name, err)
		}
		n.begun = !known || before.State != cluster.Running
		switch {
		case known && before.State == cluster.Running:
			j.say("%s is on, since %s", n.name, before.Since.Format(time.DateTime))
		case known:
			j.say("%s is switched on again; it was off since %s: %s", n.name, before.Since.Format(time.DateTime), before.Why)
		default:
			j.say("%s is switched on: %d processors, %d MiB, %s", n.name, n.status.CPUs, n.status.Memory, n.status.Accel)
		}
	}
	return j.makeContexts(nodes)
}

// programs builds what people use from here on.
func (j *job) programs(ctx context.Context) error {
	build := j.root.Go("build", "-o", "build/bin/", "./api/cmd/apiclient", "./tools/cmd/shipyard")
	if err := build.Run(ctx); err != nil {
		return fmt.Errorf("build apiclient and shipyard: %w", err)
	}
	return nil
}

// image builds the image if there is none or its sources changed.
func (j *job) image(ctx context.Context) error {
	if j.opt.Image != "" {
		err := isFile(filepath.Join(j.opt.Image, image.DiskFile))
		if err != nil {
			err = fmt.Errorf("image %s: %w", j.opt.Image, err)
		}
		return err
	}
	j.opt.Image = j.root.Path("build", "images", j.opt.Variant)
	sources, err := sourcesOf(j.root)
	if err != nil {
		return err
	}
	stamp := stampOf(j.opt.Image)
	if stamp.fits(sources) {
		j.say("image %s: built from these sources already", j.opt.Variant)
		return nil
	}
	j.say("image %s: building", j.opt.Variant)
	if err := errors.Join(stamp.remove(), image.Build(ctx, j.root, image.Options{Variant: j.opt.Variant, Version: "0.0.0"}, j.out)); err != nil {
		return err
	}
	return stamp.write(sources)
}
