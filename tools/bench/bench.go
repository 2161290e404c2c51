// Package bench measures nodes, how they deal with settings and how they start, and
// shows the bars we set beside the figures. A bar that is missed is shown, it is
// no failure: figures depend on the machine and on what else it does.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/bootbench"
	"github.com/bulkhead-os/bulkhead/tools/daemon"
	"github.com/bulkhead-os/bulkhead/tools/sandbox"
	"github.com/bulkhead-os/bulkhead/tools/updatebench"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// The conditions that the bars are set for.
const (
	cores       = 2
	clients     = 8
	generations = 200
	commits     = 10_000
)

// A Part is what can be measured without the rest.
type Part string

// The parts.
const (
	All      Part = "all"
	Settings Part = "settings" // from a request to the files that follow
	Boot     Part = "boot"     // of an image in a virtual machine
	Updates  Part = "updates"  // what a release costs
)

// Parts are all of them.
var Parts = []Part{All, Settings, Boot, Updates}

// Options choose what is measured, and where.
type Options struct {
	Dir  string // where state is kept; empty for the build directory
	Part Part
	// Become are the words with which this program calls activation.Become.
	Become []string
}

// A figure is one thing that was measured.
type figure struct {
	name     string
	bar      string // empty where there is none
	measured string
	met      bool
}

// A bench is a run of all measurements.
type bench struct {
	root     workspace.Root
	out      io.Writer
	state    string // the daemon's directory, on the disk to be measured
	userData string
	document []byte // the contents of userData
	figures  []figure
	daemon   *daemon.Daemon
	become   []string
	made     int // commits so far
}

// Run measures everything and prints the table.
func Run(ctx context.Context, root workspace.Root, opt Options, out io.Writer) (err error) {
	b := &bench{root: root, out: out, become: opt.Become, userData: root.Path(filepath.FromSlash(sandbox.UserData))}
	b.document, err = os.ReadFile(b.userData)
	if err != nil {
		return fmt.Errorf("user data: %w", err)
	}
	above := opt.Dir
	if above == "" {
		above = root.Path("build")
	}
	b.state, err = os.MkdirTemp(above, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.state)) }()
	if err := pin(cores); err != nil {
		return err
	}
	fmt.Fprint(out, describe(b.state))
	for _, p := range []struct {
		part    Part
		measure func(context.Context) error
	}{{Settings, b.measure}, {Boot, b.booting}, {Updates, b.updating}} {
		if opt.Part != All && opt.Part != p.part {
			continue
		}
		if err := p.measure(ctx); err != nil {
			return errors.Join(err, b.print()) // what was measured until then is of use
		}
	}
	return b.print()
}

// updating measures what a new release costs.
func (b *bench) updating(ctx context.Context) error {
	figures, err := updatebench.Run(ctx, b.root, b.state, b.out)
	for _, f := range figures {
		b.add(f.Name, f.Bar, f.Measured, f.Met)
	}
	return err
}

// booting measures the start of a node.
func (b *bench) booting(ctx context.Context) error {
	figures, err := bootbench.Run(ctx, b.root, b.state, b.out)
	for _, f := range figures {
		b.add(f.Name, f.Bar, f.Measured, f.Met)
	}
	return err
}

// measure takes the figures of settings, each in a state that those before it left.
func (b *bench) measure(ctx context.Context) error {
	if err := daemon.Build(ctx, b.root, b.out); err != nil {
		return err
	}
	if err := b.validation(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.rendering, b.applying, b.restarting, b.binary} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	defer func() { b.daemon.Stop() }() // that of a restart, too
	for _, step := range []func(context.Context) error{
		b.apply, b.reading, b.committing, b.committingUnderReaders, b.starting, b.memory,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted")
		}
	}
	return b.daemon.Stop()
}

func (b *bench) add(name, bar, measured string, met bool) {
	b.figures = append(b.figures, figure{name, bar, measured, met})
}

// progress says what takes its time next.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.out, "measuring "+format+"\n", args...)
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\nfigure\tbar\tmeasured\t")
	for _, f := range b.figures {
		verdict := "ok"
		switch {
		case f.bar == "":
			verdict = ""
		case !f.met:
			verdict = "over"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.name, f.bar, f.measured, verdict)
	}
	return w.Flush()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
