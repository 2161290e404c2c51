// Package podnet connects the pods of a cluster whose nodes share one network.
//
// It runs in a container on each node, with the network of the node. The
// controller manager gives each node a network for its pods; podnet tells the
// runtime to take addresses from it, and routes the networks of other nodes to
// those. There is no tunnel and no protocol of its own: where nodes do not reach
// each other directly, another network plugin is needed.
package podnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
)

// Config says where podnet runs.
type Config struct {
	Node    string       // its name
	Cluster netip.Prefix // addresses of all pods
	API     API
	Plugins string // directory of lists of plugins
}

const (
	// protocol marks our routes in the kernel. It is one of the numbers that are
	// nobody's.
	protocol = "98"
	fileName = "10-podnet.conflist"
	limit    = 30 * time.Second // for a program
	again    = 3 * time.Second  // after a fault
)

// Run keeps the network of the node as it should be, until ctx ends.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	// What an earlier run left behind may be wrong by now.
	if _, err := program.Run(ctx, limit, "ip", "-4", "route", "flush", "proto", protocol); err != nil {
		return err
	}
	k := &keeper{config: c, log: log, routes: map[netip.Prefix]netip.Addr{}}
	for {
		err := c.API.Watch(ctx, func(nodes []Node) error { return k.keep(ctx, nodes) })
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			log.Warn("keep the network of pods", "err", err)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return nil
		}
	}
}

// A keeper knows what it has done.
type keeper struct {
	config Config
	log    *slog.Logger

	plugins, masquerade string
	routes              map[netip.Prefix]netip.Addr
}

// keep carries out what changed of the plan. The list of plugins comes last: with
// it the node says that pods may start.
func (k *keeper) keep(ctx context.Context, nodes []Node) error {
	plan, err := Compute(nodes, k.config.Node, k.config.Cluster)
	if errors.Is(err, errNoPods) {
		k.log.Info(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if plan.Masquerade != k.masquerade {
		if _, err := program.Run(ctx, limit, "nft", plan.Masquerade); err != nil {
			return err
		}
		k.masquerade = plan.Masquerade
	}
	if err := k.route(ctx, plan.Routes); err != nil {
		return err
	}
	if string(plan.Plugins) == k.plugins {
		return nil
	}
	if err := write(k.config.Plugins, plan.Plugins); err != nil {
		return err
	}
	k.plugins = string(plan.Plugins)
	k.log.Info("pods have a network", "pods", plan.Pods)
	return nil
}

// route makes the routes be as wanted.
func (k *keeper) route(ctx context.Context, wanted map[netip.Prefix]netip.Addr) error {
	for _, to := range slices.SortedFunc(maps.Keys(k.routes), netip.Prefix.Compare) {
		if _, ok := wanted[to]; ok {
			continue
		}
		if _, err := program.Run(ctx, limit, "ip", "-4", "route", "del", to.String(), "proto", protocol); err != nil {
			return err
		}
		delete(k.routes, to)
		k.log.Info("route removed", "pods", to)
	}
	for _, to := range slices.SortedFunc(maps.Keys(wanted), netip.Prefix.Compare) {
		via := wanted[to]
		if k.routes[to] == via {
			continue
		}
		if _, err := program.Run(ctx, limit, "ip", "-4", "route", "replace", to.String(), "via", via.String(), "proto", protocol); err != nil {
			return err
		}
		k.routes[to] = via
		k.log.Info("route set", "pods", to, "via", via)
	}
	return nil
}

func write(dir string, text []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := atomicfile.Replace(root, fileName, append(text, '\n'), atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(dir, fileName), err)
	}
	return nil
}
