// Package containers runs the declared containers of a node.
//
// The service manager calls it, once for each step in the life of a container, as
// it does for the other containers of the host. Whether a container works is
// asked by one more step, for which there is a timer.
package containers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/settings/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// host is what the steps have in common.
type host struct {
	socket  string
	config  string
	state   string
	health  string
	manager string // client of the service manager
	log     *slog.Logger
}

const steps = "run, stop, clean-up, settled, probe, check or tidy"

// Command returns the program.
func Command() *cobra.Command {
	var p host
	cmd := &cobra.Command{
		Use:   "containers",
		Short: "Start, watch and stop the declared containers of a node",
		Long: `Start, watch and stop the containers that are declared in the settings. Its
steps are for the units of a container.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.Mistake(errors.New("name a step: " + steps))
			}
			return usage.Mistake(fmt.Errorf("step %q is not known, want %s", args[0], steps))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.PersistentFlags()
	f.StringVar(&p.socket, "socket", hostcontainerd.Socket, "`SOCKET` of containerd")
	f.StringVar(&p.config, "config", "/etc/containers", "`DIR` with a file for each container")
	f.StringVar(&p.state, "state", "/run/bulkhead/container-state", "`DIR` in which steps tell one another")
	f.StringVar(&p.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	f.StringVar(&p.manager, "systemctl", "/usr/bin/systemctl", "`FILE` of the client of the service manager")
	cmd.AddCommand(
		p.step("run NAME", "Fetch the image of a container and start it", p.run),
		p.step("stop NAME", "End a container", p.stop),
		p.step("clean-up NAME", "Say how a container ended, and remove what is left of it", p.cleanUp),
		p.step("settled NAME", "Note that a container goes on to run", p.settled),
		p.step("probe NAME", "Ask a container whether it works", p.probe),
		p.check(), p.tidy(),
	)
	return cmd
}

func (p *host) step(use, short string, do func(ctx context.Context, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want one: %s", len(args), use))
			}
			return named(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p.log = journallog.New(cmd.ErrOrStderr())
			return do(cmd.Context(), args[0])
		},
	}
}

func named(name string) error {
	if _, err := containers.ParseName(name); err != nil {
		return usage.Mistake(err)
	}
	return nil
}

// check returns the step that runs a command in a container, for who wants to know
// whether it succeeds.
func (p *host) check() *cobra.Command {
	return &cobra.Command{
		Use: "check NAME PROGRAM [ARGUMENT...]", Short: "Run a command in a container",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage.Mistake(errors.New("name a container and a program"))
			}
			return named(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p.log = journallog.New(cmd.ErrOrStderr())
			return p.with(cmd.Context(), func(c *hostcontainerd.Client) error {
				return p.command(cmd.Context(), c, args[0], args[1:])
			})
		},
	}
}

// tidy returns the step that forgets containers that were removed while they
// waited for their next start: of these the service manager does not run clean-up.
func (p *host) tidy() *cobra.Command {
	return &cobra.Command{
		Use: "tidy", Short: "Forget containers that are not declared any more",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return p.forgetGone() },
	}
}

func (p *host) file(name string) string { return filepath.Join(p.config, name+".toml") }

func id(name string) string { return hostcontainerd.Declared.ID(name) }

// with calls f with a connection to containerd.
func (p *host) with(ctx context.Context, f func(*hostcontainerd.Client) error) error {
	c, err := hostcontainerd.Connect(ctx, hostcontainerd.Options{Socket: p.socket, Unit: hostcontainerd.Unit}, p.log)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}
