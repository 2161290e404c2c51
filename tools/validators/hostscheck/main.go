//go:build ignore

// Command hostscheck reads files of mirrors as containerd does at the version
// that the module it is built in pins, and says what is wrong with them.
//
// It belongs to no module, so that tools does not depend on containerd.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/pelletier/go-toml/v2"
)

func main() {
	status := 0
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			status = 1
		}
	}
	os.Exit(status)
}

// check asks for the hosts of the registry that file is for. Of a file that it
// cannot read, containerd writes a line to its log, and goes on without it.
func check(file string) error {
	dir := filepath.Dir(file)
	registry := filepath.Base(dir)
	if registry == "_default" { // for registries that have no directory
		registry = "without.example"
	}
	find := config.HostDirFromRoot(filepath.Dir(dir))
	if found, err := find(registry); err != nil || found != dir {
		return fmt.Errorf("for registry %s the directory is %q, %v", registry, found, err)
	}
	hosts, err := config.ConfigureHosts(context.Background(), config.HostOptions{HostDir: find})(registry)
	if err != nil {
		return err
	}
	return compare(file, hosts)
}

// compare returns an error unless hosts are the mirrors of file and the
// registry behind them, and can be asked.
func compare(file string, hosts []docker.RegistryHost) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var written struct {
		Host map[string]any `toml:"host"`
	}
	if err := toml.Unmarshal(data, &written); err != nil {
		return err
	}
	if want := len(written.Host) + 1; len(hosts) != want {
		return fmt.Errorf("%d hosts are asked, want %d", len(hosts), want)
	}
	for i, h := range hosts {
		if h.Host == "" || h.Scheme != "http" && h.Scheme != "https" {
			return fmt.Errorf("host %d has the scheme %q and the address %q", i+1, h.Scheme, h.Host)
		}
		if !h.Capabilities.Has(docker.HostCapabilityPull | docker.HostCapabilityResolve) {
			return fmt.Errorf("from host %d nothing is pulled", i+1)
		}
	}
	return nil
}
