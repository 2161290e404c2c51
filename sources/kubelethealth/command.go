// Package kubelethealth finds out why a node is not a good member of its cluster.
//
// The kubelet says in its log what goes wrong, in many lines and again and again.
// The program asks what the kubelet asks, once, and reports the one cause with the
// health of the node: what comes after it in the way of a request follows from it.
package kubelethealth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// name is that of the program, and of its report.
const name = "kubelet-health"

// Where the kubelet answers on the node itself: how it is, and, without a cluster,
// what it runs.
const (
	healthURL = "http://127.0.0.1:10248/healthz"
	podsURL   = "https://127.0.0.1:10250/pods"
)

// limit is how long the program may take, and answerTime one answer.
const (
	limit      = time.Minute
	answerTime = 10 * time.Second
)

// A node is what is looked at.
type node struct {
	root    *os.Root
	health  string // URLs of the kubelet
	pods    string
	now     func() time.Time
	command func(ctx context.Context, words []string, env []string) ([]byte, error)
}

// Command returns the program.
func Command() *cobra.Command {
	root, dir := "/", healthfile.Dir
	cmd := &cobra.Command{
		Use:   name,
		Short: "Find out how the kubelet of the node is",
		Long: `Ask the kubelet and the API server of the cluster how the node is, and report what is
wrong with the health of the node.`,
		Example:      "  kubelet-health",
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("%d arguments, want none", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := os.OpenRoot(root)
			if err != nil {
				return err
			}
			defer r.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), limit)
			defer cancel()
			n := node{root: r, health: healthURL, pods: podsURL, now: time.Now, command: runCommand}
			return healthfile.WriteTo(dir, name, n.faults(ctx))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&root, "root", root, "`DIR` that stands for the root of the node")
	f.StringVar(&dir, "health", dir, "`DIR` with reports of health")
	return cmd
}

// Files of the kubelet, below the root of a node.
const (
	configFile    = "etc/kubernetes/kubelet/config.yaml"
	accessFile    = "etc/kubernetes/kubelet/kubeconfig"
	bootstrapFile = "etc/kubernetes/kubelet/bootstrap-kubeconfig"
	staticPods    = "etc/kubernetes/static-pods"
	podLogs       = "var/log/pods"
)

// faults returns all that is wrong. A node that is told of no cluster has none.
func (n node) faults(ctx context.Context) []report.Fault {
	if _, err := n.root.Stat(configFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []report.Fault
	kubelet := n.kubeletFault(ctx)
	if kubelet != nil {
		all = append(all, *kubelet)
	}
	a, err := n.access()
	switch {
	case err != nil:
		all = append(all, fault(badAccess, "", err.Error(), "apply the settings again: apiclient apply"))
	case a != nil:
		all = append(all, n.clusterFaults(ctx, a)...)
	case kubelet == nil:
		all = append(all, n.podFaults(ctx, insecure(), n.pods, nil)...)
	}
	return append(all, n.staticPodFaults(kubelet == nil)...)
}

// fault returns a warning: the node works, and goes on by itself once the cause is
// gone.
func fault(code report.Code, path, detail, hint string) report.Fault {
	return report.Fault{Severity: report.Warning, Code: code, Path: path, Detail: detail, Hint: hint}
}

// kubeletFault returns what is wrong with the kubelet itself, or nil.
func (n node) kubeletFault(ctx context.Context) *report.Fault {
	status, body, err := get(ctx, &http.Client{Timeout: answerTime}, n.health, nil)
	detail := ""
	switch {
	case err != nil:
		detail = fmt.Sprintf("the kubelet does not answer: %v", err)
	case status != http.StatusOK:
		detail = fmt.Sprintf("the kubelet is not well: %s", oneLine(body))
	default:
		return nil
	}
	f := fault(kubeletNotHealthy, "", detail, "apiclient logs kubelet.service says why; it is started again by itself")
	f.Severity = report.Error
	return &f
}
