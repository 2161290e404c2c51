// Package suite runs everything that must hold before a change is merged.
//
// It counts each check of the source (format, vet, staticcheck) as one test, so
// that one line at the end tells how everything went.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/containerd"
	"github.com/bulkhead-os/bulkhead/tools/debian"
	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/ociimage/recipe"
	"github.com/bulkhead-os/bulkhead/tools/registry"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/teststream"
	"github.com/bulkhead-os/bulkhead/tools/validators"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// ErrFailed says that a test failed. What failed has been told already.
var ErrFailed = errors.New("tests failed")

// Options choose what of the tests is run.
type Options struct {
	Run      string   // only tests whose name matches, as go test -run takes it
	Short    bool     // tests in their short form
	Soak     bool     // tests that have a long form in that one
	Packages []string // only the tests of these packages; none for all
}

// focused reports whether only chosen tests are asked for. The checks of the
// source are left out then.
func (o Options) focused() bool { return o.Run != "" || len(o.Packages) > 0 }

// validates reports whether the tests ask programs of a node about its files.
func (o Options) validates() bool {
	return !o.Short && (!o.focused() || slices.Contains(o.Packages, "./tools/validators"))
}

// runsContainers reports whether the tests run containers, or a registry for
// them.
func (o Options) runsContainers() bool {
	return !o.Short && (!o.focused() || len(o.Packages) > 0 && (o.covers("./sources") || o.covers("./tools/registry")))
}

// runsControlPlanes reports whether the tests run programs of Kubernetes beside
// nodes.
func (o Options) runsControlPlanes() bool {
	return !o.Short && (!o.focused() || len(o.Packages) > 0 && (o.covers("./tools/controlplane") || o.covers("./tools/kubernetes") || o.covers("./tools/boottest")))
}

// A Suite runs the checks and tests of one repository.
type Suite struct {
	Root workspace.Root
	Out  io.Writer // told the progress, and in the last line the count

	tally teststream.Tally
	skips []teststream.Skip
}

// Test runs the checks of the source and all tests with the race detector.
func (s *Suite) Test(ctx context.Context, opt Options) error {
	if err := s.provide(ctx, opt); err != nil {
		return err
	}
	modules, err := s.Root.Modules(ctx)
	if err != nil {
		return err
	}
	if !opt.focused() {
		s.check(ctx, modules)
	}
	if opt.validates() {
		s.step("validators", func() error { return s.validators(ctx) })
	}
	if opt.runsContainers() {
		s.step("containers", func() error { return s.containers(ctx) })
	}
	if opt.runsControlPlanes() {
		s.step("kubernetes", func() error { return s.kubernetes(ctx) })
	}
	if len(opt.Packages) == 0 {
		opt.Packages = workspace.Patterns(modules)
	}
	var boots bool
	opt.Packages, boots = s.divide(ctx, opt.Packages)
	if len(opt.Packages) > 0 {
		s.goTest(ctx, testArgs(opt), opt)
	}
	if boots {
		s.boot(ctx, opt)
	}
	return s.end(ctx)
}

// provide makes present what the tests need of the machine.
func (s *Suite) provide(ctx context.Context, opt Options) error {
	in := debian.NewInstaller(s.Out)
	needs := opt.needs(in.Root)
	if !opt.focused() {
		for _, n := range needs {
			fmt.Fprintf(s.Out, "needs %s (%s)\n", n.What, strings.Join(n.Packages, ", "))
		}
	}
	return in.Ensure(ctx, needs...)
}

// needs returns what the tests cannot do without. Machines are booted by root
// only; for others the tests that do so say that and are skipped.
func (o Options) needs(root bool) []debian.Need {
	needs := []debian.Need{debian.RaceDetector}
	if root && o.covers("./sources") {
		needs = append(needs, debian.Systemd, debian.Networks, debian.Containers)
	}
	if root && o.covers("./tools") {
		needs = append(needs, debian.PartitionTables)
	}
	return needs
}

// covers reports whether packages below dir are tested.
func (o Options) covers(dir string) bool {
	return len(o.Packages) == 0 || slices.ContainsFunc(o.Packages, func(p string) bool { return strings.HasPrefix(p, dir) })
}

// validators provides the programs that the tests of package validators ask.
// Without the means to get them, those tests say so and are skipped.
func (s *Suite) validators(ctx context.Context) error {
	err := validators.Prepare(ctx, s.Root, s.Out)
	if errors.Is(err, debtree.ErrNoTools) {
		fmt.Fprintln(s.Out, err)
		return nil
	}
	return err
}

// containers builds the programs and the image that the tests of containers run.
func (s *Suite) containers(ctx context.Context) error {
	_, err := recipe.Build(ctx, s.Root, "admin", recipe.Options{Out: s.Root.Path(recipe.Dir), Version: recipe.Version}, s.Out)
	if errors.Is(err, debtree.ErrNoTools) {
		fmt.Fprintln(s.Out, err)
		err = nil
	}
	return errors.Join(err, containerd.Prepare(ctx, s.Root, s.Out), registry.Prepare(ctx, s.Root, s.Out))
}

// Check runs what of Test takes seconds: the checks of the source, the
// policies, and whether generated files are fresh.
func (s *Suite) Check(ctx context.Context) error {
	modules, err := s.Root.Modules(ctx)
	if err != nil {
		return err
	}
	s.check(ctx, modules)
	opt := Options{Packages: []string{"./tools/policy/...", "./tools/generate/..."}}
	s.goTest(ctx, append([]string{"test", "-json", "-vet=off", "-count=1"}, opt.Packages...), opt)
	return s.end(ctx)
}

// kubernetes builds the control plane that tests run, and the images that nodes
// fetch: what is built while machines boot, they wait for.
func (s *Suite) kubernetes(ctx context.Context) error {
	r, err := kubernetes.New(s.Root, testimage.Kubernetes)
	if err != nil {
		return err
	}
	if err := r.Prepare(ctx, s.Out); err != nil {
		return err
	}
	for _, name := range recipe.Cluster(testimage.Kubernetes) {
		_, err := recipe.Build(ctx, s.Root, name, recipe.Options{Out: s.Root.Path(recipe.Dir), Version: recipe.Version}, s.Out)
		if errors.Is(err, debtree.ErrNoTools) {
			fmt.Fprintln(s.Out, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func testArgs(opt Options) []string {
	// Vet has been run on everything. A cached result is no proof: policies
	// and golden files depend on files that the cache does not see.
	args := []string{"test", "-json", "-race", "-vet=off", "-count=1", "-timeout=" + opt.timeout()}
	if opt.Short {
		args = append(args, "-short")
	}
	if opt.Run != "" {
		args = append(args, "-run="+opt.Run)
	}
	return append(args, opt.Packages...)
}

// timeout returns how long the tests of a package may take. Machines that boot
// wait for each other.
func (o Options) timeout() string {
	switch {
	case o.Soak:
		return "2h"
	case slices.Equal(o.Packages, []string{bootPackage}):
		return "60m"
	}
	return "10m"
}

// goTest runs the go command with args, a call of go test -json, and with more
// variables in its environment.
func (s *Suite) goTest(ctx context.Context, args []string, opt Options, env ...string) {
	r := teststream.NewReader(s.Out, workspace.Module+"/")
	cmd := s.Root.Go(args...)
	cmd.Stdout = r
	var stderr strings.Builder
	cmd.Stderr = &stderr
	// A program with the race detector sleeps for a second before it exits.
	// Tests end when their goroutines have, so it would only cost time.
	cmd.Env = append(cmd.Env, strings.TrimSpace("GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE")))
	cmd.Env = append(cmd.Env, env...)
	if opt.Soak {
		cmd.Env = append(cmd.Env, "BULKHEAD_SOAK=1")
	}
	err := errors.Join(cmd.Run(ctx), r.Close())
	tally := r.Tally()
	// The go command has a status but no event for a wrong flag or pattern.
	if err != nil && tally.Failed == 0 {
		tally.Failed++
		s.fault("go test", strings.TrimSpace(stderr.String()+"\n"+err.Error()))
	}
	s.tally.Add(tally)
	s.skips = append(s.skips, r.Skips()...)
}

// step runs one check of the source and counts it.
func (s *Suite) step(name string, check func() error) {
	start := time.Now()
	err := check()
	if err != nil {
		s.tally.Failed++
		s.fault(name, err.Error())
		return
	}
	s.tally.Passed++
	fmt.Fprintf(s.Out, "ok    %-32s %s\n", name, time.Since(start).Round(10*time.Millisecond))
}

func (s *Suite) fault(name, text string) {
	fmt.Fprintf(s.Out, "FAIL  %s\n", name)
	for line := range strings.Lines(text) {
		fmt.Fprintf(s.Out, "        %s\n", strings.TrimRight(line, "\n"))
	}
}

// end tells the skipped tests and the count.
func (s *Suite) end(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted after %s", s.tally)
	}
	for _, k := range s.skips {
		fmt.Fprintf(s.Out, "skip  %s %s: %s\n", k.Package, k.Test, k.Reason)
	}
	fmt.Fprintln(s.Out, s.tally)
	if s.tally.Failed > 0 {
		return ErrFailed
	}
	return nil
}

// complaint returns what a checker found as an error. Checkers tell findings
// on either output and by their status.
func complaint(ctx context.Context, cmd run.Command) error {
	var b strings.Builder
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run(ctx)
	found := strings.TrimSpace(b.String())
	switch {
	case err == nil:
		return nil
	case found != "" && run.Status(err) > 0:
		return errors.New(found)
	}
	return err
}
