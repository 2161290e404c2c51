// Package updatebench measures what an update costs: the bytes that a node fetches
// when something changed, and the time and memory that it takes.
//
// Images are real ones, built with a change each. The node is the updater on the
// image of a disk, which fetches from a server of files on this machine: what is
// measured needs no virtual machine, and would be no different in one.
package updatebench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
	"github.com/bulkhead-os/bulkhead/tools/updatetest"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
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
	dir      string
	out      io.Writer
	programs updatetest.Programs
	figures  []Figure
}

// Run measures everything, with files below dir, and returns what it found also
// where it could not finish.
func Run(ctx context.Context, root workspace.Root, dir string, out io.Writer) (_ []Figure, err error) {
	b := &bench{root: root, out: out}
	if b.dir, err = os.MkdirTemp(dir, "updates-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.programs, err = updatetest.Build(ctx, b.dir); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{b.refreshing, b.staging, b.memory, b.changes} {
		if err := step(ctx); err != nil {
			return b.figures, err
		}
	}
	return b.figures, nil
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.out, "measuring "+format+"\n", args...)
}

func (b *bench) add(name, bar, measured string, met bool) {
	b.figures = append(b.figures, Figure{name, bar, measured, met})
}

// A lab is a publisher with a server, and a node that runs the first of its
// releases.
type lab struct {
	*updatetest.Publisher
	updatetest.Node
	server *http.Server
}

// newLab publishes releases, the later ones with patches from the first if those
// are wanted. Close it.
func (b *bench) newLab(ctx context.Context, patches bool, releases ...updatetest.Release) (l *lab, err error) {
	dir, err := os.MkdirTemp(b.dir, "lab-")
	if err != nil {
		return nil, err
	}
	l = &lab{server: &http.Server{ReadHeaderTimeout: time.Minute}}
	if l.Publisher, err = updatetest.NewPublisher(dir, time.Now().Add(-time.Hour)); err != nil {
		return nil, err
	}
	largest := int64(0)
	for i, r := range releases {
		a := repo.Addition{}
		if patches && i > 0 {
			v, err := update.ParseVersion(releases[0].Version)
			if err != nil {
				return nil, err
			}
			a.From = []update.Version{v}
		}
		if err := errors.Join(l.Publish(ctx, r, a), l.keepOnce(r)); err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(r.Dir, "root.erofs"))
		if err != nil {
			return nil, err
		}
		largest = max(largest, info.Size())
	}
	const mebibyte = 1 << 20
	l.Node = updatetest.Node{Dir: filepath.Join(dir, "node"), Programs: b.programs, Slot: (largest + 2*mebibyte) / mebibyte * mebibyte}
	return l, l.start(releases[0])
}

// keepOnce makes the root image of r the file that was published of it: two of them have no
// room on a small disk.
func (l *lab) keepOnce(r updatetest.Release) error {
	files, err := filepath.Glob(l.Public("targets/*-" + r.Version + "-root.erofs"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("root images of %s that are published: %d, want one: %w", r.Version, len(files), err)
	}
	name := filepath.Join(r.Dir, "root.erofs")
	return errors.Join(os.Remove(name), os.Link(files[0], name))
}

// start installs the node and has the repository served.
func (l *lab) start(first updatetest.Release) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.server.Handler = repo.Handler(l.Publisher.Dir)
	go func() { _ = l.server.Serve(listener) }() // ends with Close
	root, err := l.Root()
	if err != nil {
		return err
	}
	return errors.Join(l.Install(first), l.Trust(root), l.Configure("http://"+listener.Addr().String(), ""))
}

// close removes what the lab took on the disk.
func (l *lab) close() error {
	return errors.Join(l.server.Close(), os.RemoveAll(filepath.Dir(l.Node.Dir)))
}

// median of what f returns in three goes or more.
func median[T int64 | float64 | time.Duration](goes int, f func() (T, error)) (T, error) {
	var all []T
	for range goes {
		v, err := f()
		if err != nil {
			return 0, err
		}
		all = append(all, v)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
