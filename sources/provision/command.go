// Package provision gives a node its settings when it boots.
//
// Once in its life a node takes user data: settings that whoever made the node
// has put where the node finds them. What is valid becomes the settings; what is
// not is reported, with its place in the text, and does not keep the node from
// coming up. What others have to be asked for is taken in a stage of its own, when
// there is a network. At each boot everything that follows from the settings is applied:
// /etc is empty until then.
package provision

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/screen"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
	"github.com/bulkhead-os/bulkhead/sources/platform/medium"
	"github.com/bulkhead-os/bulkhead/sources/platform/webfile"
)

// defaultLimit is how long the program may take. Units that hang have shorter
// limits of their own; the rest of the boot waits for the program.
const defaultLimit = 4 * time.Minute

// options are what the command line says.
type options struct {
	socket      string
	credentials string
	state       string
	health      string
	root        string
	runtime     string
	stage       string
	limit       time.Duration
}

// Command returns the program. It ends when all is applied.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Take user data once, and apply the settings",
		Long: `Take user data, if this node has never had any, and apply the settings. Each step
is a line on the console.

User data is looked for on the ESP (bulkhead/user-data.toml), in the directory of
the settings, on a medium labelled ` + strings.Join(medium.Labels(), ", ") + `, in
guestinfo and in the systemd credential ` + Credential + `. What comes later in
this list counts more. Its valid settings are set. The others are reported and
left out. With settings.provision.reapply = "always" that is done at each boot.

With --stage network it is looked for where the network is needed: at the metadata
service of EC2 and at the address that ` + webfile.URLWord + ` on the kernel command
line names. That counts more than all of the above.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), opt.limit)
			defer cancel()
			r, err := opt.newRun(cmd)
			if err != nil {
				return err
			}
			return r.run(ctx)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.socket, "socket", client.DefaultSocket, "`PATH` of the socket of the settings API")
	f.StringVar(&opt.credentials, "credentials", os.Getenv("CREDENTIALS_DIRECTORY"), "`DIR` that holds credentials")
	f.StringVar(&opt.state, "state", "/var/lib/bulkhead/provision", "`DIR` that says what the node has taken")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	f.StringVar(&opt.root, "root", "/", "`DIR` that the files of the node are in")
	f.StringVar(&opt.runtime, "runtime", "/run/bulkhead/provision", "`DIR` for what others are told")
	f.StringVar(&opt.stage, "stage", localStage.name, "`STAGE` of the boot: local or network")
	f.DurationVar(&opt.limit, "limit", defaultLimit, "end after this `TIME`")
	return cmd
}

// newRun returns what is to be done.
func (o options) newRun(cmd *cobra.Command) (*run, error) {
	p := newPlace(o.root)
	r := &run{
		api: client.New(o.socket), stage: localStage, machine: p.machine, later: len(p.network()) > 0,
		state: o.state, health: o.health, runtime: o.runtime, now: time.Now, log: journallog.New(cmd.ErrOrStderr()),
	}
	r.show = screen.New(o.root, showLimit).Show
	r.runner = o.newRunner(r)
	switch o.stage {
	case localStage.name:
		r.sources = p.local(o)
	case networkStage.name:
		r.stage, r.sources = networkStage, p.network()
		// Without a socket in the environment, nobody waits.
		r.ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
	default:
		return nil, usage.Mistake(fmt.Errorf("stage %q is not known, want local or network", o.stage))
	}
	return r, nil
}
