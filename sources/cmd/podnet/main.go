// Command podnet connects the pods of a cluster whose nodes share one network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/bulkhead-os/bulkhead/sources/podnet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "podnet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c := podnet.Config{}
	flag.StringVar(&c.Node, "node", os.Getenv("NODE_NAME"), "keep the network of the node called `NAME`")
	flag.StringVar(&c.Plugins, "plugins", "/etc/cni/net.d", "put the list of plugins into `DIR`")
	flag.StringVar(&c.API.Server, "server", "", "call the API at `URL`")
	flag.StringVar(&c.API.Account, "account", "/var/run/secrets/kubernetes.io/serviceaccount", "show the token and trust the authority in `DIR`")
	cluster := flag.String("cluster", "", "pods of the cluster have addresses in `CIDR`")
	flag.Parse()
	var err error
	if c.Cluster, err = netip.ParsePrefix(*cluster); err != nil {
		return fmt.Errorf("-cluster: %w", err)
	}
	if c.Node == "" || c.API.Server == "" {
		return errors.New("want -node and -server")
	}
	return podnet.Run(ctx, c, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
