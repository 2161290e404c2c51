// Package kubernetes builds the programs of Kubernetes that run beside nodes.
//
// They are built from the modules that packages/kubernetes-VERSION pins, in the
// way in which images get the kubelet, so that what both are made of is compiled
// once.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// ControlPlane are the programs of a control plane. All but etcd are one file
// with several names.
var ControlPlane = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// many is the file that has several names.
const many = "kubernetes"

// A Release is a minor version of Kubernetes, such as 1.37.
type Release struct {
	Minor string
	root  workspace.Root
}

// New returns the release of a minor version. There must be a package of it.
func New(root workspace.Root, minor string) (Release, error) {
	_, err := os.Stat(root.Path("packages", "kubernetes-"+minor, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		all, _ := filepath.Glob(root.Path("packages", "kubernetes-*"))
		for i := range all {
			all[i] = strings.TrimPrefix(filepath.Base(all[i]), "kubernetes-")
		}
		return Release{}, fmt.Errorf("there is no Kubernetes %q, want one of %s", minor, strings.Join(all, ", "))
	}
	return Release{Minor: minor, root: root}, err
}

func (r Release) module() string { return "packages/kubernetes-" + r.Minor }

// Dir is where the programs are.
func (r Release) Dir() string { return r.root.Path("build", "tools", "kubernetes-"+r.Minor) }

// Version returns the version that is pinned, such as v1.37.1.
func (r Release) Version() (string, error) {
	text, err := os.ReadFile(r.root.Path(filepath.FromSlash(r.module()), "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && words[0] == "k8s.io/kubernetes" {
			return words[1], nil
		}
	}
	return "", fmt.Errorf("%s/go.mod does not require k8s.io/kubernetes", r.module())
}

// program returns how a program is built. Without their version its programs say
// that they are v0.0.0, which others refuse to work with.
func (r Release) program(name string) (pinned.Program, error) {
	version, err := r.Version()
	if err != nil {
		return pinned.Program{}, err
	}
	major, minor, _ := strings.Cut(r.Minor, ".")
	ldflags := []string{"-s", "-w", "-buildid="}
	for variable, value := range map[string]string{"gitMajor": major, "gitMinor": minor, "gitVersion": version, "gitTreeState": "clean"} {
		ldflags = append(ldflags, fmt.Sprintf("-X=k8s.io/component-base/version.%s=%s", variable, value))
	}
	// In the order of their names: a map has none, and flags are part of the stamp.
	slices.Sort(ldflags[3:])
	ldflags = append(ldflags, "-X=k8s.io/client-go/pkg/version.gitVersion="+version)
	p := pinned.Program{
		Module: r.module(), Output: "build/tools/kubernetes-" + r.Minor + "/" + name,
		Flags: []string{"-trimpath", "-ldflags=" + strings.Join(ldflags, " ")},
	}
	switch name {
	case many:
		p.File = "tools/kubernetes/upstream/main.go"
	case "etcd":
		p.Package = "go.etcd.io/etcd/server/v3"
	default:
		p.Package = "k8s.io/kubernetes/cmd/" + name
	}
	return p, nil
}

// Build builds a program, unless it is there, and returns its path: one of
// ControlPlane, or kubectl or kube-proxy. The first time takes minutes.
func (r Release) Build(ctx context.Context, name string, out io.Writer) (string, error) {
	file := fileOf(name)
	p, err := r.program(file)
	if err != nil {
		return "", err
	}
	path, ok := p.Find(r.root)
	if !ok {
		start := time.Now()
		fmt.Fprintf(out, "building %s of Kubernetes %s\n", file, r.Minor)
		if path, err = p.Build(ctx, r.root); err != nil {
			return "", err
		}
		fmt.Fprintf(out, "built in %s\n", time.Since(start).Round(100*time.Millisecond))
	}
	if file == name {
		return path, nil
	}
	return r.link(name)
}

// fileOf returns the file that a program is in.
func fileOf(name string) string {
	switch name {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler":
		return many
	}
	return name
}

// link gives the file with many names one of them.
func (r Release) link(name string) (string, error) {
	path := filepath.Join(r.Dir(), name)
	if to, err := os.Readlink(path); err == nil && to == many {
		return path, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	err := os.Symlink(many, path)
	if errors.Is(err, fs.ErrExist) {
		err = nil // somebody else was faster
	}
	return path, err
}

// Prepare builds the programs of a control plane that are not there yet.
func (r Release) Prepare(ctx context.Context, out io.Writer) error {
	for _, name := range ControlPlane {
		if _, err := r.Build(ctx, name, out); err != nil {
			return err
		}
	}
	return nil
}

// Missing returns a program of the control plane that Prepare would build, or "".
func (r Release) Missing() string {
	for _, name := range ControlPlane {
		p, err := r.program(fileOf(name))
		if err != nil {
			return err.Error()
		}
		path, ok := p.Find(r.root)
		if _, err := os.Stat(filepath.Join(r.Dir(), name)); !ok || err != nil {
			return path
		}
	}
	return ""
}
