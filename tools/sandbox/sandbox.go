// Package sandbox runs the settings daemon for a person to try.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/daemon"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Variant and UserData are what the node in the sandbox is and is given when
// nothing else is asked for.
const (
	Variant  = daemon.Variant
	UserData = "docs/guide/examples/metal-k8s.toml"
)

// poll is how often a person's wait for readiness looks.
const poll = 10 * time.Millisecond

// Options choose the node in the sandbox.
type Options struct {
	Variant  string
	UserData string // a file; empty for UserData
	Dir      string // where state is kept; empty for a temporary directory
	Keep     bool   // leave the directory at the end
}

// Run builds the programs and runs the sandbox until ctx ends, which is its
// good end.
func Run(ctx context.Context, root workspace.Root, opt Options, out io.Writer) error {
	if err := daemon.Build(ctx, root, out); err != nil {
		return err
	}
	return serve(ctx, programs{
		bulkhead:  root.Path("build", "bin", "bulkhead"),
		apiclient: root.Path("build", "bin", "apiclient"),
	}, userData(root, opt.UserData), opt, out)
}

type programs struct{ bulkhead, apiclient string }

func userData(root workspace.Root, file string) string {
	if file == "" {
		return root.Path(filepath.FromSlash(UserData))
	}
	return file
}

// serve runs the sandbox with the given programs.
func serve(ctx context.Context, prog programs, userData string, opt Options, out io.Writer) (err error) {
	// apply runs elsewhere than the caller may think, so the path is whole.
	userData, err = filepath.Abs(userData)
	if err != nil {
		return err
	}
	if _, err := os.Stat(userData); err != nil {
		return fmt.Errorf("user data: %w", err)
	}
	dir, made, err := directory(opt.Dir)
	if err != nil {
		return err
	}
	if made && !opt.Keep {
		defer func() {
			err = errors.Join(err, os.RemoveAll(dir))
		}()
	} else {
		defer fmt.Fprintf(out, "the state is kept in %s\n", dir)
	}
	d, err := daemon.Start(ctx, daemon.Options{Program: prog.bulkhead, Dir: dir, Variant: opt.Variant})
	if err != nil {
		return err
	}
	defer d.Stop() // again below, where its error counts
	start := time.Now()
	if err := d.Ready(ctx, poll); err != nil {
		return quiet(ctx, err)
	}
	fmt.Fprintf(out, "a node of variant %s is ready, %s after its start\n", opt.Variant, time.Since(start).Round(time.Millisecond))
	if err := apply(ctx, prog, d.Socket, userData); err != nil {
		return quiet(ctx, err)
	}
	fmt.Fprintf(out, "applied the user data %s\n", userData)
	welcome(out, prog, d.Socket, dir)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nending the daemon")
		return d.Stop()
	case <-d.Ended():
		return quiet(ctx, d.Failure())
	}
}

// quiet leaves out the error when it comes of the end of ctx, which was asked for.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// directory returns the directory for the state, and whether it was made here
// and so may be removed.
func directory(dir string) (path string, made bool, err error) {
	if dir == "" {
		path, err = os.MkdirTemp("", "bulkhead-sandbox-")
		return path, true, err
	}
	path, err = filepath.Abs(dir)
	if err != nil {
		return "", false, err
	}
	err = os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return path, false, nil
	}
	return path, err == nil, err
}

func apply(ctx context.Context, prog programs, socket, userData string) error {
	err := run.Command{Args: []string{prog.apiclient, "--socket", socket, "apply", userData}}.Run(ctx)
	if err != nil {
		return fmt.Errorf("apply the user data: %w", err)
	}
	return nil
}

// welcome says where everything is and what one could try.
func welcome(out io.Writer, prog programs, socket, dir string) {
	fmt.Fprintf(out, `
  socket   %s
  state    %s

Five things to try, in another terminal:

  export BULKHEAD_SOCKET=%s
  export PATH=%s:"$PATH"

  1. See what is in effect, and where a value comes from
     apiclient get settings.kubernetes.cluster-name
     apiclient get --origin settings.motd

  2. Change a setting, and be told what is wrong with one
     apiclient set motd="Hello from the sandbox"
     apiclient set network.hostname=-web

  3. Try a change that undoes itself unless it is confirmed
     apiclient set --try 1m motd="For one minute"
     apiclient confirm

  4. Look back and go back
     apiclient history
     apiclient revert 1

  5. Watch changes as they happen
     apiclient watch

Ctrl-C here ends it.
`, socket, dir, run.Quote(socket), run.Quote(filepath.Dir(prog.apiclient)))
}
