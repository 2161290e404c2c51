// Package boottest boots nodes in virtual machines for tests.
//
// A test makes a Disk, of an image that all tests share, and boots a Node from
// it. The node is reached as from elsewhere: over its console, and over its
// remote API with certificates that the test has issued. What happens to
// computers can be done to it: power cuts, flipped bits, full and lost file
// systems, larger disks.
//
// Machines take turns: whatever tests run, in whichever processes, not more than
// two processors are emulated at a time. When a test fails, the console of its
// nodes and what their journals say are kept in build/test-logs.
package boottest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/bootprobe"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Patience is how long anything may take that a node does by itself. A boot
// takes a fraction of it, but not on a machine that has other things to do.
const Patience = 4 * time.Minute

// A Lab is what all tests of a process share.
type Lab struct {
	Root     workspace.Root
	Emulator vm.Emulator
	Image    string // directory
	work     string // directory
	probe    []byte // see bootprobe
}

// share returns the lab of the process. Building an image takes long even if
// nothing changed, so it is done once.
var share = sync.OnceValues(func() (*Lab, error) {
	root, err := workspace.Find(".")
	if err != nil {
		return nil, err
	}
	ctx := context.Background() // no test's own
	e, err := vm.Prepare(ctx, root, io.Discard)
	if err != nil {
		return nil, err
	}
	l := &Lab{Root: root, Emulator: e, Image: os.Getenv(testimage.Variable), work: root.Path("build", "boottest")}
	if err := os.MkdirAll(l.work, 0o755); err != nil {
		return nil, err
	}
	if l.Image == "" {
		if l.Image, err = testimage.Build(ctx, root, io.Discard); err != nil {
			return nil, err
		}
	}
	l.probe, err = bootprobe.Build(ctx, root)
	return l, err
})

// shareOther returns what returns a lab with another image.
func shareOther(variable string, build func(context.Context, workspace.Root, io.Writer) (string, error)) func() (*Lab, error) {
	return sync.OnceValues(func() (*Lab, error) {
		l, err := share()
		if err != nil {
			return nil, err
		}
		other := *l
		if other.Image = os.Getenv(variable); other.Image == "" {
			other.Image, err = build(context.Background(), l.Root, io.Discard)
		}
		return &other, err
	})
}

var (
	shareFirst      = shareOther(testimage.FirstVariable, testimage.BuildFirst)
	shareKubernetes = shareOther(testimage.KubernetesVariable, testimage.BuildKubernetes)
)

// OpenKubernetes returns a lab with the image of testimage.KubernetesVariant, as
// Open does.
func OpenKubernetes(t testing.TB) *Lab { return open(t, shareKubernetes) }

// Open returns the lab. A test that cannot have one is skipped.
func Open(t testing.TB) *Lab { return open(t, share) }

// OpenFirst returns a lab with the image of testimage.FirstVariant, as Open does.
func OpenFirst(t testing.TB) *Lab { return open(t, shareFirst) }

func open(t testing.TB, share func() (*Lab, error)) *Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines, which takes long")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the machines are x86_64, and so are the programs that run them")
	}
	l, err := share()
	if errors.Is(err, debtree.ErrNoTools) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("prepare to boot: %v", err)
	}
	return l
}

// tools is a tree of packages with the programs for file systems, which the
// build of an image leaves.
func (l *Lab) tools() string { return l.Root.Path("build", "image", "tools") }

// lock takes the lock that the file at path stands for, as flock does with how.
func lock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
