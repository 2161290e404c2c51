// Package bootbench measures how a node starts and what it then takes, beside a
// stock Debian system on the same emulated machine.
//
// Times mean nothing by themselves: under emulation they are many times those of
// a computer, and depend on what else it does. So both systems start in turns,
// several times each, and the ratio counts.
package bootbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/boot"
	"github.com/bulkhead-os/bulkhead/tools/bootprobe"
	"github.com/bulkhead-os/bulkhead/tools/disk"
	"github.com/bulkhead-os/bulkhead/tools/image"
	"github.com/bulkhead-os/bulkhead/tools/probe"
	"github.com/bulkhead-os/bulkhead/tools/stock"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What is measured, and how often.
const (
	variant = "qemu-dev"
	version = "0.0.0"
	runs    = 5
	room    = 1 << 30 // of the disk, behind the partitions of the image
)

// A Figure is one thing that was measured.
type Figure struct {
	Name     string
	Bar      string // empty where there is none
	Measured string
	Met      bool
}

// A bench is one call of Run.
type bench struct {
	root     workspace.Root
	out      io.Writer
	dir      string // for what is thrown away at the end
	image    string // directory
	emulator vm.Emulator
	probe    []byte
	figures  []Figure
}

// Run takes all figures and tells on out what takes its time. Files that are of
// no use afterwards are kept below dir meanwhile.
func Run(ctx context.Context, root workspace.Root, dir string, out io.Writer) (figures []Figure, err error) {
	b := &bench{root: root, out: out, image: root.Path("build", "bench", "image")}
	if b.dir, err = os.MkdirTemp(dir, "boot-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.emulator, err = vm.Prepare(ctx, root, out); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{b.size, b.change, b.boots} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b.figures, nil
}

func (b *bench) add(name, bar, measured string, met bool) {
	b.figures = append(b.figures, Figure{name, bar, measured, met})
}

// progress says what takes its time next.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.out, "measuring "+format+"\n", args...)
}

// size measures what an update has to bring.
func (b *bench) size(ctx context.Context) error {
	b.progress("the image, which is built")
	if err := image.Build(ctx, b.root, image.Options{Variant: variant, Version: version, Out: b.image}, io.Discard); err != nil {
		return err
	}
	var sum int64
	for _, name := range []string{image.RootFile, image.UKIFile} {
		info, err := os.Stat(filepath.Join(b.image, name))
		if err != nil {
			return err
		}
		sum += info.Size()
	}
	const bar = 100e6
	b.add("root file system and boot program", "≤ "+megabytes(bar), megabytes(sum), sum <= bar)
	return nil
}

// A system is one that is started, from a disk that it has been started from
// before.
type system struct {
	name   string
	disk   string
	kernel vm.Kernel
	up     string // the line of the console that says so
	starts []start
}

// A start is what was seen of one.
type start struct {
	seconds float64 // from power on until the system is up
	facts   probe.Facts
}

// boots starts both systems in turns.
func (b *bench) boots(ctx context.Context) error {
	var err error
	if b.probe, err = bootprobe.Build(ctx, b.root); err != nil {
		return err
	}
	node, err := b.node()
	if err != nil {
		return err
	}
	systems := []*system{node}
	fmt.Fprintln(b.out, "assembling a stock system")
	debian, err := b.stock(ctx)
	switch {
	case errors.Is(err, stock.ErrNotRoot):
		b.add("a start beside one of a stock system", "", "not measured: "+err.Error(), true)
	case err != nil:
		return err
	default:
		systems = append(systems, debian)
	}
	for _, s := range systems {
		fmt.Fprintf(b.out, "starting %s for the first time\n", s.name)
		if err := b.first(ctx, s); err != nil {
			return err
		}
	}
	for i := range runs {
		for _, s := range systems {
			b.progress("start %d of %d of %s", i+1, runs, s.name)
			if err := b.measure(ctx, s); err != nil {
				return err
			}
		}
	}
	b.report(node, debian)
	return nil
}

// tools is a tree of packages that the build of an image leaves.
func (b *bench) tools() string { return b.root.Path("build", "image", "tools") }

func (b *bench) node() (*system, error) {
	s := &system{name: "a node", disk: filepath.Join(b.dir, "node.raw"), up: probe.Up}
	from := filepath.Join(b.image, image.DiskFile)
	info, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	if err := disk.Copy(s.disk, from, info.Size()+room); err != nil {
		return nil, err
	}
	k, err := boot.Kernel(b.image, "")
	if err != nil {
		return nil, err
	}
	return s, b.addProbe(s, *k)
}

func (b *bench) stock(ctx context.Context) (*system, error) {
	dir := filepath.Join(b.dir, "stock")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	made, err := stock.Assemble(ctx, b.root, b.tools(), dir, b.out)
	if err != nil {
		return nil, err
	}
	s := &system{name: "the stock system", disk: made.Disk, up: probe.Up}
	return s, b.addProbe(s, made.Kernel)
}

func (b *bench) addProbe(s *system, k vm.Kernel) error {
	dir, err := os.MkdirTemp(b.dir, "kernel-")
	if err != nil {
		return err
	}
	s.kernel, err = bootprobe.Add(k, b.probe, dir)
	return err
}

// report compares the systems. The second is nil where there is none.
func (b *bench) report(node, debian *system) {
	const (
		processes = 12
		pss       = 60e6
		taken     = 0.8
		boot      = 0.7
	)
	last := node.starts[len(node.starts)-1].facts
	listens := last.Listens()
	b.add("listening ports without a setting", "none", list(listens), len(listens) == 0)
	has := slices.ContainsFunc(last.Processes, func(p probe.Process) bool { return p.Name == "containerd" })
	b.add("containerd without a workload", "not started", map[bool]string{true: "started", false: "not started"}[has], !has)
	n := node.median(func(s start) float64 { return float64(len(s.facts.Processes)) })
	b.add("processes of user space, median", fmt.Sprintf("≤ %d", processes), fmt.Sprintf("%.0f%s", n, debian.beside(func(s start) float64 { return float64(len(s.facts.Processes)) }, "%.0f")), n <= processes)
	memory := func(s start) float64 { return float64(s.facts.PSS()) }
	n = node.median(memory)
	b.add("memory of user space (sum of PSS) at rest, median", "≤ "+megabytes(pss), megabytes(int64(n))+debian.beside(func(s start) float64 { return memory(s) / 1e6 }, "%.1f MB"), n <= pss)
	b.ratio("MemTotal - MemAvailable at rest, median", taken, node, debian, "%.0f MB", func(s start) float64 {
		return float64(s.facts.MemTotal-s.facts.MemAvailable) / 1e6
	})
	b.ratio("from kernel start until healthy, later starts, median", boot, node, debian, "%.1f s", func(s start) float64 { return s.seconds })
}

// ratio compares one measure with a bar for its ratio.
func (b *bench) ratio(name string, bar float64, node, debian *system, format string, of func(start) float64) {
	ours := node.median(of)
	if debian == nil {
		b.add(name, "", fmt.Sprintf(format, ours), true)
		return
	}
	theirs := debian.median(of)
	b.add(name, fmt.Sprintf("≤ %.1f×", bar), fmt.Sprintf("%.2f× ("+format+" to "+format+")", ours/theirs, ours, theirs), ours <= bar*theirs)
}

func (s *system) median(of func(start) float64) float64 {
	var all []float64
	for _, st := range s.starts {
		all = append(all, of(st))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// beside tells the median of the other system, if there is one.
func (s *system) beside(of func(start) float64, format string) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(" (stock "+format+")", s.median(of))
}

func list(listeners []probe.Listener) string {
	if len(listeners) == 0 {
		return "none"
	}
	var out []string
	for _, l := range listeners {
		out = append(out, l.String())
	}
	return strings.Join(out, ", ")
}

// megabytes returns n as it is given in bars, in units of a million bytes.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
