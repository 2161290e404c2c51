// Package sandbox runs the settings of a node for a person to try: the daemon
// that keeps them, with files and units following from them in a directory.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
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
//
// become are the words with which this program calls activation.Become.
func Run(ctx context.Context, root workspace.Root, opt Options, out io.Writer, become ...string) error {
	if err := daemon.Build(ctx, root, out); err != nil {
		return err
	}
	prog, err := Built(root, become...)
	if err != nil {
		return err
	}
	return serve(ctx, prog, os.DirFS(root.Path("packages")), userData(root, opt.UserData), opt, out)
}

func userData(root workspace.Root, file string) string {
	if file == "" {
		return root.Path(filepath.FromSlash(UserData))
	}
	return file
}

// serve runs the sandbox with the given programs.
func serve(ctx context.Context, prog Programs, packages fs.FS, userData string, opt Options, out io.Writer) (err error) {
	// apiclient runs elsewhere than the caller may think, so the path is whole.
	userData, err = filepath.Abs(userData)
	if err != nil {
		return err
	}
	if _, err := os.Stat(userData); err != nil {
		return fmt.Errorf("user data: %w", err)
	}
	ctx, stop := untilTold(ctx)
	defer stop()
	dir, err := open(opt)
	if err != nil {
		return err
	}
	if dir.keep {
		defer fmt.Fprintf(out, "the state is kept in %s\n", dir.path)
	}
	defer func() {
		err = errors.Join(err, dir.close())
	}()
	n, err := Start(ctx, prog, dir.path, opt.Variant, packages, out)
	if err != nil {
		return err
	}
	start := time.Now()
	err = n.Ready(ctx)
	if err == nil {
		fmt.Fprintf(out, "a node of variant %s is ready, %s after its start\n", opt.Variant, time.Since(start).Round(time.Millisecond))
		err = n.use(ctx, userData, out)
	}
	return errors.Join(quiet(ctx, err), n.Stop())
}

// untilTold returns a context that ends when this program is told to end, also
// by the end of its terminal. From then on it may find nobody who reads what it
// says, and goes on all the same, because there is something to remove.
func untilTold(ctx context.Context) (context.Context, context.CancelFunc) {
	words := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		words = append(words, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, words...)
	context.AfterFunc(ctx, func() { signal.Ignore(syscall.SIGPIPE) })
	return ctx, stop
}

// use gives the node its user data and waits until ctx ends.
func (n *Node) use(ctx context.Context, userData string, out io.Writer) error {
	start := time.Now()
	if err := n.Apply(ctx, userData); err != nil {
		return err
	}
	fmt.Fprintf(out, "applied the user data %s in %s\n", userData, time.Since(start).Round(time.Millisecond))
	n.welcome(out)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nending the daemon")
		return nil
	case <-n.daemon.Ended():
		return n.daemon.Failure()
	}
}

// quiet leaves out the error when it comes of the end of ctx, which was asked for.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Apply gives the node the settings in a file and waits until its files and
// units follow.
func (n *Node) Apply(ctx context.Context, userData string) error {
	err := run.Command{Args: []string{n.programs.Apiclient, "--socket", n.Socket, "apply", "--wait", userData}, Bound: true}.Run(ctx)
	if err != nil {
		return fmt.Errorf("apply the user data: %w", err)
	}
	return nil
}

// welcome says where everything is and what one could try.
func (n *Node) welcome(out io.Writer) {
	fmt.Fprintf(out, `
  socket   %[1]s
  files    %[2]s
  units    %[3]s/units.log: what would be done with them

Five things to try, in another terminal:

  export BULKHEAD_SOCKET=%[4]s
  export PATH=%[5]s:"$PATH"
  cd %[6]s

  1. Change a setting, and see the file change
     apiclient set --wait motd="Hello from the sandbox"
     cat etc/motd

  2. See beforehand which files would change and which units would restart
     apiclient set --dry-run ntp.time-servers='["time.example.org"]'
     apiclient set network.hostname=-web        # and what is wrong with a value

  3. Ask what a setting is, where its value comes from, and what it reaches
     apiclient explain settings.kubernetes.cluster-name

  4. Try a change that undoes itself unless it is confirmed
     apiclient set --try 1m motd="For one minute"
     apiclient confirm

  5. Look back and go back, files and units too
     apiclient history
     apiclient revert 1
     tail run/bulkhead/units.log

Ctrl-C here ends it.
`, n.Socket, n.Root, filepath.Join(n.Root, "run/bulkhead"), run.Quote(n.Socket), run.Quote(filepath.Dir(n.programs.Apiclient)), run.Quote(n.Root))
}
