// Package render turns settings into the contents of files by way of
// templates.
//
// Rendering is pure: the same packages, settings and facts give the same bytes.
// It is bounded in time and size. What a template prints must come from an
// encoder, so that no value can end a line or leave its quotes where nobody
// thought of it. docs/contributing-packages.md describes the templates.
package render

import (
	"context"
	"time"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

const (
	// patience is how long one template may run.
	patience  = time.Second
	maxOutput = 1 << 20 // bytes of one template, also of a text it keeps in a variable
)

// OS are the facts of the image.
type OS struct {
	Name           string // "Bulkhead"
	Pretty         string // "Bulkhead 1.2.0 (qemu-dev)"
	Version        string
	Build          string
	Variant        string
	Platform       string // aws, vmware, metal, qemu
	Runtime        string // k8s, ecs, dev
	RuntimeVersion string // "1.36", or empty
	Arch           string // x86_64, aarch64
}

func (o OS) data() map[string]any {
	return map[string]any{
		"name": o.Name, "pretty": o.Pretty, "version": o.Version, "build": o.Build, "variant": o.Variant,
		"platform": o.Platform, "runtime": o.Runtime, "runtime_version": o.RuntimeVersion, "arch": o.Arch,
	}
}

// Node are the facts of the node. They are gathered elsewhere.
type Node struct {
	Hostname  string
	Addresses []string
	CPUs      int
	Memory    int64 // bytes
	Storage   int64 // bytes of the file system of /var
	Region    string
	FIPS      bool // the kernel is in FIPS mode
	EFA       bool // an Elastic Fabric Adapter is there
}

func (n Node) data() map[string]any {
	addresses := make([]any, len(n.Addresses))
	for i, a := range n.Addresses {
		addresses[i] = a
	}
	return map[string]any{
		"hostname": n.Hostname, "addresses": addresses, "cpus": int64(n.CPUs), "memory": n.Memory, "storage": n.Storage,
		"region": n.Region, "fips": n.FIPS, "efa": n.EFA,
	}
}

// Input is what files are rendered from.
type Input struct {
	Settings *Settings
	OS       OS
	Node     Node
	// Patience is how long one template may run, a second if zero. A node that
	// boots on a machine with others has less time than it seems, and must not do
	// without a file for that.
	Patience time.Duration
}

// Result are the files that settings ask for, sorted by path, and what could
// not be rendered.
type Result struct {
	Files  []plan.File
	Faults []plan.Fault
}

// All renders all files of packages. One that fails does not hide the others.
func All(ctx context.Context, packages []*recipe.Package, in Input) Result {
	set, faults := Compile(packages)
	r := set.Render(ctx, in)
	r.Faults = append(faults, r.Faults...)
	return r
}
