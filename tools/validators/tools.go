// Package validators asks the programs of a node what they think of the files
// that are rendered for them.
//
// The programs are those of the image: Debian's come from a tree of packages of
// its suite, those made of Go modules are built at the versions that
// packages/NAME/go.mod pins. Nothing is installed.
package validators

import (
	"context"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// suite is the Debian release that images are made of.
const suite = "trixie"

// debianTree holds the programs that come from Debian.
func debianTree(root workspace.Root) debtree.Tree {
	return debtree.Tree{
		Dir: root.Path("build", "tools", suite), Suite: suite,
		Packages: []string{"base-files", "chrony", "dbus-broker", "docker.io", "kmod", "open-vm-tools", "systemd", "systemd-resolved", "udev"},
	}
}

// DebianTree returns the directory with the programs that come from Debian, for
// tests that run others of them.
func DebianTree(root workspace.Root) (string, error) {
	t := debianTree(root)
	if !t.Find() {
		return "", fmt.Errorf("%s: %w", t.Dir, ErrUnprepared)
	}
	return t.Dir, nil
}

// modules are the programs that are built, by the path they get.
var modules = map[string]pinned.Program{
	containerdPath: {
		Module: "packages/containerd", Package: "github.com/containerd/containerd/v2/cmd/containerd", Output: "build/tools/containerd",
	},
	hostsCheck: {
		Module: "packages/containerd", File: "tools/validators/hostscheck/main.go", Output: "build/tools/hostscheck",
	},
	kubeletCheck("1.36"): kubeletProgram("1.36"),
	kubeletCheck("1.37"): kubeletProgram("1.37"),
}

const (
	containerdPath = "/usr/bin/containerd"
	hostsCheck     = "/usr/bin/hostscheck"
)

func kubeletCheck(version string) string { return "/usr/bin/kubeletcheck-" + version }

func kubeletProgram(version string) pinned.Program {
	return pinned.Program{
		Module: "packages/kubernetes-" + version, File: "tools/validators/kubeletcheck/main.go",
		Output: "build/tools/kubeletcheck-" + version,
	}
}

// Prepare fetches and builds what the validators need and is not there yet. The
// first time takes minutes.
func Prepare(ctx context.Context, root workspace.Root, out io.Writer) error {
	if err := debianTree(root).Fetch(ctx, out); err != nil {
		return err
	}
	for _, p := range modules {
		if _, ok := p.Find(root); ok {
			continue
		}
		start := time.Now()
		fmt.Fprintf(out, "building %s for the validators\n", path.Base(p.Output))
		if _, err := p.Build(ctx, root); err != nil {
			return err
		}
		fmt.Fprintf(out, "built in %s\n", time.Since(start).Round(time.Second))
	}
	return nil
}

// missing returns what Prepare would fetch or build, or "".
func missing(root workspace.Root) string {
	if t := debianTree(root); !t.Find() {
		return t.Dir
	}
	for _, p := range modules {
		if bin, ok := p.Find(root); !ok {
			return bin
		}
	}
	return ""
}
