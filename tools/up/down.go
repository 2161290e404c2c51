package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// DownOptions say how nodes end.
type DownOptions struct {
	Cluster  string
	Nodes    []string // of the cluster; none for all
	Force    bool     // cut the power
	Delete   bool     // the disks and everything else of the cluster
	Contexts string   // directory of apiclient's contexts
}

// Down switches nodes of a cluster off.
func Down(ctx context.Context, root workspace.Root, opt DownOptions, out io.Writer) error {
	c, err := cluster.New(Dir(root), opt.Cluster)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Dir); os.IsNotExist(err) {
		fmt.Fprintf(out, "there is no cluster %s\n", c.Name)
		return nil
	}
	all, err := c.List(ctx)
	if err != nil {
		return err
	}
	running, err := runningOf(all, opt.Nodes)
	if err != nil {
		return err
	}
	if err := switchOff(ctx, c, running, opt, out); err != nil {
		return err
	}
	if err := tellOff(ctx, c, running, out); err != nil || !opt.Delete {
		return err
	}
	if err := forgetContexts(opt.Contexts, c); err != nil {
		return err
	}
	if err := c.Delete(); err != nil {
		return err
	}
	fmt.Fprintf(out, "cluster %s is deleted\n", c.Name)
	return nil
}

// runningOf returns those of the machines that are on and meant: all of them,
// if none is named.
func runningOf(all []cluster.Status, named []string) ([]cluster.Status, error) {
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no node %s in the cluster, but %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s cluster.Status) bool {
		return s.State != cluster.Running || len(named) > 0 && !slices.Contains(named, s.Name)
	}), nil
}

// switchOff switches off the machines that are running, and ends the supervisor
// unless only some nodes were named.
func switchOff(ctx context.Context, c cluster.Cluster, running []cluster.Status, opt DownOptions, out io.Writer) error {
	way := cluster.Press
	if opt.Force || opt.Delete {
		way = cluster.Cut
	} else if err := shutDown(ctx, c, running, opt.Contexts, out); err != nil {
		return err
	}
	if len(opt.Nodes) == 0 {
		return c.End(ctx, way)
	}
	for _, s := range running {
		now, _, err := c.Find(ctx, s.Name)
		if err == nil && now.State == cluster.Running {
			err = c.Stop(ctx, s.Name, way)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shutTime is how long a node may take to shut down that said that it will.
const shutTime = time.Minute

// shutDown asks the nodes that are on to shut down, and waits until those are
// off that will. What becomes of the others is for the supervisor to see to.
func shutDown(ctx context.Context, c cluster.Cluster, running []cluster.Status, dir string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, shutTime)
	defer cancel()
	known, err := contexts.Load(dir)
	if err != nil {
		return err
	}
	will := map[string]bool{}
	for _, s := range running {
		if askToShutDown(ctx, known, s.Name) == nil {
			fmt.Fprintf(out, "%s is shutting down\n", s.Name)
			will[s.Name] = true
		}
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		now, err := c.List(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if !slices.ContainsFunc(now, func(s cluster.Status) bool { return s.State == cluster.Running && will[s.Name] }) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func askToShutDown(ctx context.Context, known contexts.File, name string) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	c, err := clientOf(known, name)
	if err != nil {
		return err
	}
	return c.Shutdown(ctx)
}

// clientOf returns a client for the node that a context leads to.
func clientOf(known contexts.File, name string) (*client.Client, error) {
	way, err := known.Find(name)
	if err != nil {
		return nil, err
	}
	r, err := way.Remote()
	return &client.Client{Remote: r}, err
}

// tellOff tells how the machines ended.
func tellOff(ctx context.Context, c cluster.Cluster, ended []cluster.Status, out io.Writer) error {
	for _, was := range ended {
		now, _, err := c.Find(ctx, was.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s is off: %s\n", was.Name, now.Why)
	}
	return nil
}

// List prints the machines of all clusters as a table.
func List(ctx context.Context, root workspace.Root, out io.Writer) error {
	all, err := Machines(ctx, root)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "there are no nodes; shipyard up makes one")
		return nil
	}
	if err := table(out, all, time.Now()); err != nil {
		return err
	}
	return listControlPlanes(ctx, root, all, out)
}

// listControlPlanes tells of the control planes here of the clusters that the
// machines belong to.
func listControlPlanes(ctx context.Context, root workspace.Root, all []cluster.Status, out io.Writer) error {
	told := map[string]bool{}
	for _, s := range all {
		c, err := clusterOf(root, s.Name)
		if err != nil {
			return err
		}
		spec, err := loadKubeSpec(c)
		if err != nil {
			return err
		}
		if spec == nil || told[c.Name] {
			continue
		}
		told[c.Name] = true
		fmt.Fprintf(out, "\ncontrol plane of %s: Kubernetes %s, https://127.0.0.1:%d, %s\n", c.Name, spec.Minor, spec.Port, controlPlaneState(ctx, c))
	}
	return nil
}

// controlPlaneState returns how the control plane of a cluster is, in words.
func controlPlaneState(ctx context.Context, c cluster.Cluster) string {
	if alive, err := c.Alive(); err != nil || !alive {
		return "off"
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	k, err := kubeclient.Load(controlplane.KubeconfigFile(kubeDir(c)))
	if err != nil {
		return "starting"
	}
	defer k.Close()
	nodes, err := k.Nodes(ctx)
	if err != nil {
		return "does not answer; see " + c.Log()
	}
	ready := 0
	for _, n := range nodes {
		if n.Ready {
			ready++
		}
	}
	return fmt.Sprintf("%d of %d nodes ready", ready, len(nodes))
}

func table(out io.Writer, all []cluster.Status, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tSTATE\tFOR\tADDRESS\tAPI\tWHY")
	for _, s := range all {
		api, _ := s.Forwarded(apiPort)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.State, now.Sub(s.Since).Round(time.Second), s.Addr, orDash(api), orDash(s.Why))
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Machines returns the machines of all clusters.
func Machines(ctx context.Context, root workspace.Root) ([]cluster.Status, error) {
	entries, err := os.ReadDir(Dir(root))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []cluster.Status
	for _, e := range entries {
		c, err := cluster.New(Dir(root), e.Name())
		if err != nil || !e.IsDir() {
			continue // of something else
		}
		some, err := c.List(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Find returns a machine by its name, and the cluster it belongs to. Without a
// name it is the only one there is.
func Find(ctx context.Context, root workspace.Root, name string) (cluster.Cluster, cluster.Status, error) {
	all, err := Machines(ctx, root)
	if err != nil {
		return cluster.Cluster{}, cluster.Status{}, err
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if s.Name != name && (name != "" || len(all) > 1) {
			continue
		}
		c, err := clusterOf(root, s.Name)
		return c, s, err
	}
	switch {
	case len(all) == 0:
		return cluster.Cluster{}, cluster.Status{}, errors.New("there are no nodes; shipyard up makes one")
	case name == "":
		return cluster.Cluster{}, cluster.Status{}, fmt.Errorf("say which node: %s", strings.Join(names, ", "))
	}
	return cluster.Cluster{}, cluster.Status{}, fmt.Errorf("there is no node %s, but %s", name, strings.Join(names, ", "))
}
