package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Where the control plane of a cluster runs.
const (
	ControlPlaneAuto = "auto" // here, for nodes of Kubernetes that are not told of another one
	ControlPlaneHost = "host" // here
	ControlPlaneNone = "none"
)

// ControlPlanes are all of them.
var ControlPlanes = []string{ControlPlaneAuto, ControlPlaneHost, ControlPlaneNone}

// registryAddress is where nodes fetch the images of what each cluster runs.
const registryAddress = "192.168.127.253:5000"

// tokenLife is how long a node may take to join, from when the cluster was last
// switched on or the token renewed.
const tokenLife = 24 * time.Hour

// A kubeSpec is what the control plane of a cluster is like. It stays as it is for
// as long as the cluster is there: its nodes know it.
type kubeSpec struct {
	Minor string        `json:"minor"` // of Kubernetes
	Port  int           `json:"port"`  // of the API, here
	Token kubepki.Token `json:"token"`
}

func kubeDir(c cluster.Cluster) string { return filepath.Join(c.Dir, "control-plane") }

func kubeSpecFile(c cluster.Cluster) string { return filepath.Join(kubeDir(c), "spec.json") }

// loadKubeSpec returns what the control plane of a cluster is like, if it has one
// here.
func loadKubeSpec(c cluster.Cluster) (*kubeSpec, error) {
	text, err := os.ReadFile(kubeSpecFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s kubeSpec
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", kubeSpecFile(c), err)
	}
	return &s, nil
}

// wantsControlPlane reports whether a control plane is to run here.
func (j *job) wantsControlPlane(s settings) (bool, error) {
	switch j.opt.ControlPlane {
	case "", ControlPlaneAuto:
		return s.variant.Runtime == "k8s" && !s.joinsOther(), nil
	case ControlPlaneNone:
		return false, nil
	case ControlPlaneHost:
		if s.variant.Runtime != "k8s" {
			return false, fmt.Errorf("nodes of %s do not join a control plane: that is for variants such as qemu-k8s-1.37", s.variant.Name)
		}
		if s.joinsOther() {
			return false, fmt.Errorf("the user data says how nodes join (settings.kubernetes), which shipyard up sets when the control plane runs here")
		}
		return true, nil
	}
	return false, fmt.Errorf("--control-plane %q: want %s", j.opt.ControlPlane, strings.Join(ControlPlanes, ", "))
}

// prepareControlPlane builds what the control plane of the cluster takes, and says
// what it is like.
func (j *job) prepareControlPlane(ctx context.Context, s settings) error {
	want, err := j.wantsControlPlane(s)
	if err != nil || !want {
		return err
	}
	r, err := kubernetes.New(j.root, s.variant.Version)
	if err != nil {
		return err
	}
	if r.Missing() != "" {
		j.say("Kubernetes %s: building; the first time takes minutes", r.Minor)
	}
	if err := r.Prepare(ctx, j.out); err != nil {
		return err
	}
	for _, name := range recipe.Cluster(r.Minor) {
		if _, err := recipe.Build(ctx, j.root, name, recipe.Options{Out: j.root.Path(recipe.Dir), Version: recipe.Version}, io.Discard); err != nil {
			return err
		}
		j.say("image %s for pods is built", name)
	}
	if err := os.MkdirAll(kubeDir(j.cluster), 0o700); err != nil {
		return err
	}
	if j.kube, err = loadKubeSpec(j.cluster); err != nil {
		return err
	}
	if j.kube == nil {
		return j.newControlPlane(r.Minor)
	}
	if j.kube.Minor != r.Minor {
		return fmt.Errorf("cluster %s is one of Kubernetes %s, and nodes of %s are for %s: make it anew, shipyard down --delete, and up again", j.cluster.Name, j.kube.Minor, s.variant.Name, r.Minor)
	}
	return nil
}

// newControlPlane says what the control plane is like that the cluster gets.
func (j *job) newControlPlane(minor string) error {
	if alive, err := j.cluster.Alive(); err != nil || alive {
		return errors.Join(err, fmt.Errorf("cluster %s runs without a control plane: end it with shipyard down, and up again", j.cluster.Name))
	}
	port, err := freePort(firstKubePort)
	if err != nil {
		return err
	}
	j.kube = &kubeSpec{Minor: minor, Port: port, Token: kubepki.NewToken()}
	text, err := json.MarshalIndent(j.kube, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(kubeSpecFile(j.cluster), append(text, '\n'), 0o600)
}

// firstKubePort is where the API is served if nobody else listens there.
const firstKubePort = 16443

// freePort returns a port that nobody listens at, if possible wanted.
func freePort(wanted int) (int, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", wanted))
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return 0, err
		}
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// joining returns what nodes must know of the control plane here.
func (j *job) joining() (string, error) {
	if j.kube == nil {
		return "", nil
	}
	pki, err := kubepki.Open(filepath.Join(kubeDir(j.cluster), "pki"), time.Now())
	if err != nil {
		return "", err
	}
	return controlplane.NewJoining(j.cluster.Name, vmnet.Gateway().String(), j.kube.Port, pki, j.kube.Token).Settings() + `
[[settings.container-registry.mirrors]]
registry = "ghcr.io"
endpoint = ["http://` + registryAddress + `"]
`, nil
}

// Kubeconfig returns the file with which the control plane of a cluster is reached.
func Kubeconfig(root workspace.Root, name string) (string, error) {
	c, err := cluster.New(Dir(root), name)
	if err != nil {
		return "", err
	}
	spec, err := loadKubeSpec(c)
	if err != nil {
		return "", err
	}
	file := controlplane.KubeconfigFile(kubeDir(c))
	if spec == nil || isFile(file) != nil {
		return "", fmt.Errorf("cluster %s has no control plane here; shipyard up --variant qemu-k8s-1.37 makes one", c.Name)
	}
	return file, nil
}

// Minor returns the version of Kubernetes of a cluster.
func Minor(root workspace.Root, name string) (string, error) {
	c, err := cluster.New(Dir(root), name)
	if err != nil {
		return "", err
	}
	spec, err := loadKubeSpec(c)
	if err == nil && spec == nil {
		err = fmt.Errorf("cluster %s has no control plane here", c.Name)
	}
	if err != nil {
		return "", err
	}
	return spec.Minor, nil
}

// waitForNodes waits until the nodes of the cluster are ready to run pods.
func (j *job) waitForNodes(parent context.Context, nodes []*node) error {
	if j.kube == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(parent, j.opt.Limit, fmt.Errorf("not ready within %s (--limit)", j.opt.Limit))
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	waiting := map[string]bool{}
	for _, n := range nodes {
		waiting[n.name] = true
	}
	for {
		why := j.readyNodes(ctx, waiting)
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the nodes of the cluster: %w: %w\nwhat its control plane says is in %s and %s",
				context.Cause(ctx), why, j.cluster.Log(), filepath.Join(kubeDir(j.cluster), "logs"))
		}
	}
}

// readyNodes tells of the nodes that are ready and takes them out of waiting. It
// returns why others are not.
func (j *job) readyNodes(ctx context.Context, waiting map[string]bool) error {
	// The file is written anew when the control plane starts.
	c, err := kubeclient.Load(controlplane.KubeconfigFile(kubeDir(j.cluster)))
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	why := fmt.Errorf("%d nodes have joined", len(all))
	for _, n := range all {
		switch {
		case !waiting[n.Name]:
		case n.Ready:
			delete(waiting, n.Name)
			j.say("%s is ready: Kubernetes %s", n.Name, n.Version)
		default:
			why = fmt.Errorf("%s: %s", n.Name, n.Why)
		}
	}
	return why
}
