// Package updater finds, fetches and activates new versions of the system.
//
// The program is root's, and is started by systemd when somebody connects to its
// socket; the same is done in process for root. It verifies what the update
// repository says, writes the chosen release into the slot that does not run, and
// hands over to the loader: the names of boot programs on the ESP are what
// decides, so a node that loses its power in the middle boots what it ran.
package updater

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/download"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// options are what the flags of all commands say.
type options struct {
	node   node
	output string
	clock  string
	net    download.Options // what of them is said
}

// engine returns what does the work.
func (o *options) engine(cmd *cobra.Command) (*engine, error) {
	e, err := newEngine(o.node, readers(), journallog.New(cmd.ErrOrStderr()))
	if err != nil {
		return nil, err
	}
	e.download = o.net
	if e.now, err = o.now(); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// now returns the clock.
func (o *options) now() (func() time.Time, error) {
	if o.clock == "" {
		return time.Now, nil
	}
	at, err := time.Parse(time.RFC3339, o.clock)
	if err != nil {
		return nil, usage.Mistake(fmt.Errorf("--clock: %w", err))
	}
	ahead := time.Until(at)
	return func() time.Time { return time.Now().Add(ahead) }, nil
}

// defaultIdle is how long the program stays after a request.
const defaultIdle = 10 * time.Second

// powerSocket is where the power service listens.
const powerSocket = "/run/bulkhead/power.sock"

// dataDir is on DATA.
const dataDir = "/var/lib/updater"

// Command returns the program.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "updater",
		Short: "Find, fetch and activate new versions of the system",
		Long: `Find, fetch and activate new versions of the system. Commands other than serve
and auto do in this process what the settings API has done by the service.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("there is no command %q", args[0]))
			}
			return usage.Mistake(errors.New("no command, want serve, auto, wake, refresh, prepare, activate, deactivate, apply, rollback, cancel, status or history"))
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args refuses all
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.PersistentFlags()
	f.StringVar(&opt.node.root, "root", "/", "`DIR` that has /proc, /sys and /usr in it")
	f.StringVar(&opt.node.private, "private", disklayout.PrivateDir, "`DIR` where PRIVATE is mounted")
	f.StringVar(&opt.node.data, "data", dataDir, "`DIR` for what is fetched")
	f.StringVar(&opt.node.disk, "disk", "", "`FILE` with an image of a disk, in place of that of the node")
	f.StringVar(&opt.node.config, "config", "/etc/updater.toml", "`FILE` with what the settings say")
	f.StringVar(&opt.node.lock, "lock", updater.LockFile, "`FILE` that is locked while something goes on")
	f.StringVar(&opt.node.socket, "socket", updater.Socket, "`SOCKET` of the service")
	f.StringVar(&opt.node.power, "power", powerSocket, "`SOCKET` of the power service")
	f.StringVar(&opt.clock, "clock", "", "act as if it were `TIME`, to try out what a wrong clock leads to")
	f.DurationVar(&opt.net.Pause, "pause", 0, "wait `TIME` after something could not be fetched for the first time (default 500ms)")
	f.DurationVar(&opt.net.Patience, "patience", 0, "give a server up from which next to nothing comes for `TIME` (default 30s)")
	cmd.AddCommand(opt.serveCommand(), opt.autoCommand(), opt.wakeCommand(), opt.cancelCommand(), opt.statusCommand(), opt.historyCommand())
	cmd.AddCommand(opt.actionCommands()...)
	return cmd
}

func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
	}
	return nil
}

// readers returns the group that may read what the updater says, or -1 where there
// is no such group.
func readers() int {
	g, err := user.LookupGroup("api")
	if err != nil || os.Geteuid() != 0 {
		return -1
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return id
}

func (o *options) serveCommand() *cobra.Command {
	idle := defaultIdle
	cmd := &cobra.Command{
		Use: "serve", Short: "Do what callers ask for on a socket", Args: none,
		Long: `Do what callers ask for on the socket that the service manager hands over, or on the
one that --socket names. The program ends when nothing goes on and nobody has
asked for a while.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := unixsocket.Given()
			if err == nil && l == nil {
				l, err = unixsocket.Listen(o.node.socket, unixsocket.Access{User: -1, Group: -1, Mode: 0o600})
			}
			if err != nil {
				return err
			}
			s := service{node: o.node, log: journallog.New(cmd.ErrOrStderr()), idle: idle, group: readers(), download: o.net}
			return s.serve(cmd.Context(), l)
		},
	}
	cmd.Flags().DurationVar(&idle, "idle", defaultIdle, "`TIME` after which the program ends when nobody needs it")
	return cmd
}

// actionCommands returns those that do something in this process.
func (o *options) actionCommands() []*cobra.Command {
	all := []struct {
		action updater.Action
		short  string
		flags  string // which of them it has
	}{
		{updater.Refresh, "Look which versions there are, and choose", "vbd"},
		{updater.Prepare, "Write the chosen version into the slot that does not run", "vbd"},
		{updater.Activate, "Have the next boot try what is prepared", "d"},
		{updater.Deactivate, "Take an activation back", "d"},
		{updater.Apply, "Refresh, prepare and activate", "vbrd"},
		{updater.Rollback, "Have the next boot be one of the version before", "rd"},
	}
	var out []*cobra.Command
	for _, a := range all {
		r := updater.Request{Action: a.action, Actor: "root"}
		var bundle string
		cmd := &cobra.Command{
			Use: string(a.action), Short: a.short, Args: none,
			RunE: func(cmd *cobra.Command, _ []string) error { return o.act(cmd, r, bundle) },
		}
		f := cmd.Flags()
		for _, letter := range a.flags {
			switch letter {
			case 'v':
				f.StringVar(&r.Version, "version", "", "choose `VERSION`, whatever the settings say")
				f.BoolVar(&r.IgnoreWaves, "ignore-waves", false, "as if all waves were over")
			case 'b':
				f.StringVar(&bundle, "bundle", "", "take the update from `FILE`, not from the network")
			case 'd':
				f.BoolVar(&r.DryRun, "dry-run", false, "print what would be fetched and done, and change nothing")
			case 'r':
				f.BoolVar(&r.Reboot, "reboot", false, "reboot at the end")
			}
		}
		o.printing(cmd)
		out = append(out, cmd)
	}
	return out
}

func (o *options) printing(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "print as `FORM`: text or json")
}

// act does one action and prints the status that it leaves.
func (o *options) act(cmd *cobra.Command, r updater.Request, bundle string) error {
	if err := o.checkOutput(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.node.lock), 0o755); err != nil {
		return err
	}
	unlock, err := updater.TakeLock(o.node.lock)
	if err != nil {
		return err
	}
	defer unlock()
	if r.DryRun {
		return o.foresee(cmd, r, bundle)
	}
	e, err := o.engine(cmd)
	if err != nil {
		return err
	}
	defer e.close()
	if err := e.see(); err != nil {
		return err
	}
	if f := e.allow(r); f != nil {
		return f
	}
	if bundle != "" {
		if bundle, err = o.take(bundle); err != nil {
			return err
		}
	}
	if err := e.run(cmd.Context(), r, bundle); err != nil {
		return err
	}
	return o.print(cmd.OutOrStdout(), e.store.now())
}

// foresee prints what r would do.
func (o *options) foresee(cmd *cobra.Command, r updater.Request, bundle string) (err error) {
	shadow := *o
	var drop func() error
	if shadow.node, drop, err = o.node.shadowed(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	e, err := shadow.engine(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	p, err := e.plan(cmd.Context(), r, bundle)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return encode(cmd.OutOrStdout(), p)
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), p)
	return err
}

// take copies a bundle to where it is kept until it is staged.
func (o *options) take(name string) (_ string, err error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	if err := os.MkdirAll(o.node.data, 0o700); err != nil {
		return "", err
	}
	out, err := os.Create(filepath.Join(o.node.data, bundleName))
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	return out.Name(), errors.Join(err, out.Sync(), out.Close())
}

func (o *options) checkOutput() error {
	if o.output != "text" && o.output != "json" {
		return usage.Mistake(fmt.Errorf("-o %q, want text or json", o.output))
	}
	return nil
}

func (o *options) wakeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "wake", Short: "Do what is due once after a boot", Args: none,
		Long: `Make the status say what the slots say, and write down what became of the version
that was tried.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unlock, err := updater.TakeLock(o.node.lock)
			if errors.Is(err, updater.ErrBusy) {
				return nil // whoever is at work does the same
			}
			if err != nil {
				return err
			}
			defer unlock()
			e, err := o.engine(cmd)
			if err != nil {
				return err
			}
			return errors.Join(e.wake(), e.close())
		},
	}
}

func (o *options) client() *updater.Client {
	return updater.New(updater.Places{Socket: o.node.socket, Dir: o.node.dir(), Lock: o.node.lock})
}

func (o *options) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel", Short: "End what the service does", Args: none,
		Long: "End what the service does. What was written stays, and the next prepare goes on with it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), o.client(), updater.Request{Action: updater.Cancel, Actor: "root"})
		},
	}
}

// ask has the service begin something.
func ask(ctx context.Context, c *updater.Client, r updater.Request) error {
	a, err := c.Ask(ctx, r, nil)
	if err != nil {
		return err
	}
	if !a.Begun {
		return &refusal{code: a.Code, detail: a.Detail, hint: a.Hint}
	}
	return nil
}
