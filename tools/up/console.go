package up

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// clusterOf returns the cluster that a machine with the name belongs to.
func clusterOf(root workspace.Root, machine string) (cluster.Cluster, error) {
	return cluster.New(Dir(root), machine[:max(0, strings.LastIndex(machine, "-"))])
}

// leave is the key that leaves a console: Ctrl and ].
const leave = 0x1d

// Console shows what a node wrote to its console and what it writes, and types
// there what is typed here, until the node is off or ctx ends.
func Console(ctx context.Context, root workspace.Root, name string, in *os.File, out, words io.Writer) (err error) {
	c, s, err := Find(ctx, root, name)
	if err != nil {
		return err
	}
	from, err := c.Follow(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("%w\nwhat it wrote when it was on: shipyard logs %s", err, s.Name)
	}
	defer from.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if term.IsTerminal(int(in.Fd())) {
		fmt.Fprintf(words, "console of %s; Ctrl-] leaves it\n", s.Name)
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, term.Restore(int(in.Fd()), before)) }()
	}
	// Nothing ends a read from a terminal, so the program ends before it.
	left := make(chan error, 1)
	go func() { left <- forwardKeys(ctx, c, s.Name, in) }()
	shown := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, from)
		shown <- err
	}()
	select {
	case err := <-left:
		return err
	case err := <-shown:
		if err == nil && ctx.Err() == nil {
			fmt.Fprintf(words, "\r\n%s is off\r\n", s.Name)
		}
		return err
	case <-ctx.Done():
		return nil
	}
}

// forwardKeys types what it reads until the key comes that leaves. At the end of
// what is there to read it waits for the end of ctx: who has nothing to type
// still wants to see.
func forwardKeys(ctx context.Context, c cluster.Cluster, machine string, in io.Reader) error {
	keys := make([]byte, 1024)
	for {
		n, err := in.Read(keys)
		text, _, left := strings.Cut(string(keys[:n]), string(rune(leave)))
		if text != "" {
			if err := c.Type(ctx, machine, []byte(text)); err != nil {
				return err
			}
		}
		if left {
			return nil
		}
		if err != nil {
			<-ctx.Done()
			return nil
		}
	}
}

// Logs prints what a node wrote to its console since it was last switched on,
// as lines without what only a terminal needs. With follow it goes on until the
// node is off or ctx ends.
func Logs(ctx context.Context, root workspace.Root, name string, follow bool, out io.Writer) error {
	c, s, err := Find(ctx, root, name)
	if err != nil {
		return err
	}
	from, err := logOf(ctx, c, s, follow)
	if err != nil {
		return err
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if _, err := fmt.Fprintln(out, vm.Plain(lines.Bytes())); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil // which is how one ends it
	}
	return lines.Err()
}

func logOf(ctx context.Context, c cluster.Cluster, s cluster.Status, follow bool) (io.ReadCloser, error) {
	if follow && s.State == cluster.Running {
		return c.Follow(ctx, s.Name)
	}
	return os.Open(c.ConsoleLog(s.Name))
}
