// Package apply makes the files and units of a node what its settings say.
//
// It renders all files, replaces those that differ, removes those that nobody
// wants any more, and then starts, stops, restarts or reloads the units that own
// them. It remembers a file as done only when everything that follows from it
// is, so that an apply which was cut off, at any point, is completed by the next
// one. A fault of one item does not keep the others from being dealt with.
//
// The program is root's, and runs for as long as there is something to do and a
// short time beyond.
package apply

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// How the units are managed.
const (
	systemdUnits = "systemd"
	recordUnits  = "record"
)

// defaultIdle is how long the program stays after a request. It keeps what it
// has read of the image, so that only the first of several changes waits for
// that. A person who tries one setting after the other takes this long.
const defaultIdle = 30 * time.Second

// options are what the command line says.
type options struct {
	root   string
	image  string
	socket string
	units  string
	once   bool
	idle   time.Duration
	limit  time.Duration

	step func(string) // see worker
}

// Command returns the program. It runs until its context ends or, where the
// service manager keeps the socket, until nobody needs it.
func Command() *cobra.Command { return command(func(string) {}) }

// command returns the program, which calls step between the steps of an apply.
func command(step func(string)) *cobra.Command {
	opt := options{step: step}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the files and units of a node what its settings say",
		Long: `Make the files and units of a node what its settings say.

It answers requests on a Unix socket, which it takes over from the service
manager or makes itself. In the first case it ends by itself when there has been
nothing to do for a while. With --units=record, what would be done with units is
written to ROOT/run/bulkhead/units.log.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			if opt.units != systemdUnits && opt.units != recordUnits {
				return usage.Mistake(fmt.Errorf("--units %q, want %s or %s", opt.units, systemdUnits, recordUnits))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), opt, logger(cmd.ErrOrStderr()))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.root, "root", "/", "`DIR` that stands for the root of the node")
	f.StringVar(&opt.image, "image", "", "`DIR` that holds the image (default: the root)")
	f.StringVar(&opt.socket, "socket", "/run/bulkhead/apply.sock", "`PATH` of the socket")
	f.StringVar(&opt.units, "units", systemdUnits, "`HOW` units are managed: systemd, or record to write down only")
	f.BoolVar(&opt.once, "once", false, "end after the first connection")
	f.DurationVar(&opt.idle, "idle", defaultIdle, "end after this `TIME` without a connection, when the service manager keeps the socket")
	f.DurationVar(&opt.limit, "limit", unitLimit, "`TIME` that a unit may take")
	return cmd
}
