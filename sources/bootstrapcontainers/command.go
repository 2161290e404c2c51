// Package bootstrapcontainers runs the containers that prepare a node while it
// boots.
//
// They run side by side, but for those that are to run after others. When an
// essential one has failed that is the end of the boot, which leaves a node whose
// API is there and says so.
package bootstrapcontainers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/bootentry"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// group is the name of the settings, and of the program.
const group = "bootstrap-containers"

// options are what the command line says.
type options struct {
	client string
	health string
	socket string
	ran    string
}

// Command returns the program.
func Command() *cobra.Command {
	var opt options
	cmd := &cobra.Command{
		Use:   group + " DIR",
		Short: "Run the containers that prepare a node while it boots",
		Long: `Run the containers of the entries in DIR to their end, side by side but for those
that are to run after others. The exit status is 1 when an essential one has failed.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want the directory with the entries", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), args[0], opt, journallog.New(cmd.ErrOrStderr()))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.client, "client", "/usr/bin/apiclient", "`FILE` of the API client")
	f.StringVar(&opt.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	f.StringVar(&opt.socket, "socket", hostcontainerd.Socket, "`SOCKET` of containerd")
	f.StringVar(&opt.ran, "ran", "/run/bootstrap-containers", "`DIR` that says what has run since the node was started")
	return cmd
}

func run(ctx context.Context, dir string, opt options, log *slog.Logger) error {
	list, faults, err := readAll(dir)
	if err != nil {
		return fmt.Errorf("bootstrap containers: %w", err)
	}
	if len(list) == 0 {
		return healthfile.WriteTo(opt.health, group, faults)
	}
	online(ctx, log)
	c, err := hostcontainerd.Connect(ctx, hostcontainerd.Options{Socket: opt.socket, Unit: hostcontainerd.Unit}, log)
	if err != nil {
		faults = append(faults, allFailed(list, err)...)
		return errors.Join(err, healthfile.WriteTo(opt.health, group, faults))
	}
	defer c.Close()
	s := schedule{engine: c, ran: opt.ran, client: opt.client, log: log}
	more, err := s.run(ctx, list)
	return errors.Join(err, healthfile.WriteTo(opt.health, group, append(faults, more...)))
}

// onlineLimit is more than the units take that wait for the network.
const onlineLimit = 2 * time.Minute

// online waits until the node has a way out, which images may take. What has none
// may still have the image, so that nothing depends on it. The unit of this
// program does not want the target: a node without such containers would wait for
// nothing.
func online(ctx context.Context, log *slog.Logger) {
	if _, err := program.Run(ctx, onlineLimit, "/usr/bin/systemctl", "start", "network-online.target"); err != nil {
		log.Warn("containers start without a network", "err", err)
	}
}

// readAll reads the entries in dir. One that cannot be read is a fault and costs
// nothing but the entry.
func readAll(dir string) ([]entry, []report.Fault, error) {
	files, err := bootentry.Files(dir)
	if err != nil {
		return nil, nil, err
	}
	var list []entry
	var faults []report.Fault
	for _, file := range files {
		e := entry{Definition: hostcontainerd.Definition{Kind: hostcontainerd.Bootstrap}}
		name, err := hostcontainerd.Read(file, &e)
		if err != nil {
			faults = append(faults, report.Fault{
				Severity: report.Error, Path: "settings." + group + "." + bootentry.Name(file), Code: bootentry.Unusable, Detail: err.Error(),
			})
			continue
		}
		e.Name = name
		list = append(list, e)
	}
	return list, faults, nil
}

func allFailed(list []entry, err error) []report.Fault {
	faults := make([]report.Fault, len(list))
	for i, e := range list {
		faults[i] = e.Fault(group, e.Name, err)
	}
	return faults
}
