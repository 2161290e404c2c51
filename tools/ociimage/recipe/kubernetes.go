package recipe

import (
	"context"
	"io"

	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Network returns the name of the image with the network of a cluster of a minor
// version of Kubernetes. Its proxy must not be newer than the cluster.
func Network(minor string) string { return "kube-network-" + minor }

// Cluster returns the names of the images that nodes of a cluster of a minor version
// fetch.
func Cluster(minor string) []string { return []string{"coredns", "hello", Network(minor)} }

// network is the image for what connects pods: our podnet and kube-proxy, with the
// programs that both change rules and routes with.
func network(minor string) recipe {
	return recipe{
		ref: "ghcr.io/bulkhead-os/" + Network(minor), programs: map[string]string{"/usr/bin/podnet": "./sources/cmd/podnet"},
		modules: map[string]module{"/usr/bin/kube-proxy": func(ctx context.Context, root workspace.Root, out io.Writer) (string, error) {
			r, err := kubernetes.New(root, minor)
			if err != nil {
				return "", err
			}
			return r.Build(ctx, "kube-proxy", out)
		}},
		packages: []string{"base-files", "iproute2", "libc-bin", "nftables"},
		without:  []string{"debconf", "dpkg", "libdb5.3", "perl-base"}, // for scripts of packages, and for tools that nobody runs
		config:   ociimage.Config{Env: []string{searchPath}, Labels: labels(Network(minor))},
	}
}

// coredns is the image for what resolves the names of a cluster. Nobody is root
// in it.
func coredns() recipe {
	upstream := pinned.Program{
		Module: "tools/kubernetes/coredns", File: "tools/kubernetes/coredns/main.go", Output: "build/tools/coredns",
		Flags: []string{"-trimpath", "-ldflags=-s -w -buildid="},
	}
	return recipe{
		ref: "ghcr.io/bulkhead-os/coredns",
		modules: map[string]module{"/usr/bin/coredns": func(ctx context.Context, root workspace.Root, _ io.Writer) (string, error) {
			return upstream.Build(ctx, root)
		}},
		config: ociimage.Config{Entrypoint: []string{"/usr/bin/coredns"}, User: "65535:65535", Labels: labels("coredns")},
	}
}

// hello is the image of a web server to try a cluster with.
func hello() recipe {
	return recipe{
		ref: "ghcr.io/bulkhead-os/hello", programs: map[string]string{"/usr/bin/hello": "./sources/cmd/hello"},
		config: ociimage.Config{Entrypoint: []string{"/usr/bin/hello"}, User: "65535:65535", Labels: labels("hello")},
	}
}
