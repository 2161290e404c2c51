// Package cage runs programs that take a directory for the root of the system.
//
// Where the kernel lets it, a program in a cage is root in a user namespace and
// has a network of its own that leads nowhere: whatever it does, it can do
// nothing to this machine. Elsewhere only root can make a cage, and the program
// is kept in the directory alone.
package cage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// ErrNone says that no program can be run in a cage here.
var ErrNone = errors.New("neither namespaces nor root at hand")

// A Cage is a directory with a way to run programs in it.
type Cage struct {
	root string
	attr *syscall.SysProcAttr
}

// New returns a cage whose root is the absolute directory root. The command
// probe, with paths inside the cage, is run to see whether any can.
func New(ctx context.Context, root string, probe ...string) (Cage, error) {
	ways := []*syscall.SysProcAttr{apart(root)}
	if os.Geteuid() == 0 {
		ways = append(ways, &syscall.SysProcAttr{Chroot: root})
	}
	var first error
	for _, w := range ways {
		c := Cage{root: root, attr: w}
		err := c.Command(probe...).Run(ctx)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	if errors.Is(first, syscall.EPERM) || errors.Is(first, syscall.ENOSPC) || errors.Is(first, syscall.EINVAL) {
		return Cage{}, fmt.Errorf("run programs with %s as their root: %w: %w", root, ErrNone, first)
	}
	return Cage{}, fmt.Errorf("run programs with %s as their root: %w", root, first)
}

func apart(root string) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Chroot:      root,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		// Daemons drop their groups. Only root may let them.
		GidMappingsEnableSetgroups: os.Geteuid() == 0,
	}
}

// Command returns the command args, whose paths are those inside the cage.
func (c Cage) Command(args ...string) run.Command {
	return run.Command{Args: args, Dir: "/", Env: []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin"}, Attr: c.attr}
}
