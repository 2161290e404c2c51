package up

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Companions returns what runs beside the machines of a cluster.
func Companions(root workspace.Root, c cluster.Cluster, log *slog.Logger) ([]cluster.Companion, error) {
	spec, err := loadKubeSpec(c)
	if err != nil || spec == nil {
		return nil, err
	}
	return []cluster.Companion{
		func(ctx context.Context, network *vmnet.Network) error {
			return runControlPlane(ctx, root, c, *spec, network, log)
		},
		func(ctx context.Context, network *vmnet.Network) error {
			return runRegistry(ctx, root, *spec, network)
		},
	}, nil
}

// runControlPlane runs the control plane of a cluster until ctx ends.
func runControlPlane(ctx context.Context, root workspace.Root, c cluster.Cluster, spec kubeSpec, network *vmnet.Network, log *slog.Logger) (err error) {
	r, err := kubernetes.New(root, spec.Minor)
	if err != nil {
		return err
	}
	cp, err := controlplane.Start(ctx, controlplane.Options{
		Release: r, Dir: kubeDir(c), Name: c.Name, Port: spec.Port, Address: vmnet.Gateway().String(), Dial: network.Dial, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cp.Stop()) }()
	networkImage, err := recipe.Ref(recipe.Network(spec.Minor))
	if err != nil {
		return err
	}
	dnsImage, err := recipe.Ref("coredns")
	if err != nil {
		return err
	}
	if err := cp.AddNetwork(ctx, controlplane.Images{Network: networkImage, DNS: dnsImage}); err != nil {
		return err
	}
	log.Info("control plane started", "cluster", c.Name, "kubernetes", spec.Minor, "port", cp.Port)
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := cp.AddToken(ctx, spec.Token, time.Now().Add(tokenLife)); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-cp.Ended():
			return nil // which Stop tells
		case <-ctx.Done():
			return nil
		}
	}
}

// runRegistry serves the images that all clusters run to the nodes of one.
func runRegistry(ctx context.Context, root workspace.Root, spec kubeSpec, network *vmnet.Network) error {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	here := httptest.NewServer(handler)
	defer here.Close()
	for _, name := range recipe.Cluster(spec.Minor) {
		image, err := ociimage.Open(filepath.Join(root.Path(recipe.Dir), name), "")
		if err != nil {
			return err
		}
		ref, err := recipe.Ref(name)
		if err != nil {
			return err
		}
		_, ref, _ = strings.Cut(ref, "/")
		if err := ociimage.Push(ctx, image, strings.TrimPrefix(here.URL, "http://")+"/"+ref); err != nil {
			return err
		}
	}
	l, err := network.Listen(registryAddress)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
