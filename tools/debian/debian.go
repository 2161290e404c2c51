// Package debian installs the Debian packages that a task needs.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// A Need is something a task cannot do without.
type Need struct {
	What     string   // as a person calls it: "a C compiler, for the race detector"
	Packages []string // that provide it
	Present  func(context.Context) bool
}

// RaceDetector needs a C compiler with the C library's headers, since programs
// with the race detector are linked by it.
var RaceDetector = Need{
	What:     "a C compiler with the C library's headers, for the race detector",
	Packages: []string{"gcc", "libc6-dev"},
	Present: func(ctx context.Context) bool {
		return run.Command{
			Args:  []string{"gcc", "-fsyntax-only", "-x", "c", "-"},
			Stdin: strings.NewReader("#include <stdlib.h>\n#include <pthread.h>\n"),
		}.Run(ctx) == nil
	},
}

// Systemd is what the tests of the programs that manage units boot in namespaces.
var Systemd = Need{
	What:     "systemd and nsenter, for tests that boot it in namespaces",
	Packages: []string{"systemd", "util-linux"},
	Present: func(context.Context) bool {
		for _, file := range []string{"/usr/lib/systemd/systemd", "/usr/bin/nsenter"} {
			if _, err := os.Stat(file); err != nil {
				return false
			}
		}
		return true
	},
}

// PartitionTables is a program of others that reads the disks we make.
var PartitionTables = Need{
	What:     "sfdisk, for tests of disks",
	Packages: []string{"fdisk"},
	Present: func(context.Context) bool {
		_, err := exec.LookPath("sfdisk")
		return err == nil
	},
}

// Networks are what serves the networks of tests in namespaces.
var Networks = Need{
	What:     "dnsmasq and radvd, for tests of networks",
	Packages: []string{"dnsmasq-base", "iproute2", "iputils-ping", "radvd"},
	Present: func(context.Context) bool {
		for _, name := range []string{"dnsmasq", "ip", "ping", "radvd"} {
			if _, err := exec.LookPath(name); err != nil {
				return false
			}
		}
		return true
	},
}

// Containers are what runs containers in tests, below containerd, and what logs in
// to one.
var Containers = Need{
	What:     "runc and ssh, for tests of containers",
	Packages: []string{"openssh-client", "runc"},
	Present: func(context.Context) bool {
		_, err := exec.LookPath("runc")
		_, sshErr := exec.LookPath("ssh")
		return err == nil && sshErr == nil
	},
}

// An Installer makes needs present.
type Installer struct {
	Out  io.Writer // told what is being installed
	Root bool      // whether this process may install packages
	// Ask asks whether packages may be installed; nil if they may. With it, a
	// user who is not root installs them with sudo.
	Ask func(question string) (bool, error)
}

// NewInstaller returns an Installer for this process that reports on out.
func NewInstaller(out io.Writer) Installer { return Installer{Out: out, Root: os.Geteuid() == 0} }

// Ensure makes all needs present, or says what to install by hand.
func (in Installer) Ensure(ctx context.Context, needs ...Need) error {
	missing := absent(ctx, needs)
	if len(missing) == 0 {
		return nil
	}
	if err := in.install(ctx, packages(missing)); err != nil {
		return fmt.Errorf("%s: missing; %w", what(missing), err)
	}
	if still := absent(ctx, missing); len(still) > 0 {
		return fmt.Errorf("%s: still missing with %s installed", what(still), strings.Join(packages(still), ", "))
	}
	return nil
}

func (in Installer) install(ctx context.Context, names []string) error {
	byHand := "apt-get install " + strings.Join(names, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("without apt-get it is not known how to install it here; on Debian: " + byHand)
	}
	become, err := in.become(byHand)
	if err != nil {
		return err
	}
	fmt.Fprintf(in.Out, "installing %s\n", strings.Join(names, ", "))
	start := time.Now()
	args := append([]string{"install", "--yes", "--no-install-recommends"}, names...)
	err = apt(ctx, become, args...)
	if err != nil {
		// Package lists may be absent, as in most container images, or old.
		if err := apt(ctx, become, "update"); err != nil {
			return err
		}
		err = apt(ctx, become, args...)
	}
	if err == nil {
		fmt.Fprintf(in.Out, "installed %s in %s\n", strings.Join(names, ", "), time.Since(start).Round(time.Second))
	}
	return err
}

// become returns the words in front of a command with which this process may
// install packages, once it is allowed to.
func (in Installer) become(byHand string) ([]string, error) {
	var words []string
	if !in.Root {
		if _, err := exec.LookPath("sudo"); err != nil || in.Ask == nil {
			return nil, errors.New("run as root: " + byHand)
		}
		words = []string{"sudo", "--"}
	}
	if in.Ask == nil {
		return words, nil
	}
	yes, err := in.Ask(fmt.Sprintf("Install with: %s?", strings.Join(append(words, byHand), " ")))
	if err != nil {
		return nil, err
	}
	if !yes {
		return nil, errors.New("install it with: " + byHand)
	}
	return words, nil
}

func apt(ctx context.Context, become []string, args ...string) error {
	return run.Command{Args: slices.Concat(become, []string{"apt-get"}, args), Env: []string{"DEBIAN_FRONTEND=noninteractive"}}.Run(ctx)
}

func absent(ctx context.Context, needs []Need) []Need {
	var missing []Need
	for _, n := range needs {
		if !n.Present(ctx) {
			missing = append(missing, n)
		}
	}
	return missing
}

func packages(needs []Need) []string {
	var names []string
	for _, n := range needs {
		names = append(names, n.Packages...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func what(needs []Need) string {
	var texts []string
	for _, n := range needs {
		texts = append(texts, n.What)
	}
	return strings.Join(texts, "; ")
}
