// Package containerservice lists, starts, stops and enters the containers of a
// node for those who may not do so themselves.
//
// The program is root's, and is started by systemd when somebody connects to its
// socket. It asks systemd about units and containerd about what runs in them, and
// ends when it has had nothing to do for a while. See api/containers.
package containerservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// defaultIdle is how long the program stays after a request.
const defaultIdle = 10 * time.Second

// Command returns the program. It runs until nobody has needed it for a while.
func Command() *cobra.Command {
	idle := defaultIdle
	var socket string
	cmd := &cobra.Command{
		Use:   "container-service",
		Short: "List, start, stop and enter the containers of a node",
		Long: `List, start, stop and enter the containers of a node, for those who connect to the
socket that the service manager hands over. The program ends when nobody has done
so for a while.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := unixsocket.Given()
			if err != nil {
				return err
			}
			if l == nil {
				return usage.Mistake(errors.New("no socket is handed over: the program is started by the service manager"))
			}
			log := journallog.New(cmd.ErrOrStderr())
			s := &service{units: systemd{}, runtime: &runtime{opt: hostcontainerd.Options{Socket: socket}, log: log}, log: log, idle: idle}
			defer s.runtime.close()
			return s.serve(cmd.Context(), l)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().DurationVar(&idle, "idle", defaultIdle, "`TIME` after which the program ends when nobody needs it")
	cmd.Flags().StringVar(&socket, "containerd", hostcontainerd.Socket, "`SOCKET` of containerd")
	return cmd
}

// A runtime connects to containerd when that is needed first. The connection
// outlives containerd.
type runtime struct {
	opt hostcontainerd.Options
	log *slog.Logger

	mu     sync.Mutex // guards client
	client *hostcontainerd.Client
}

// running returns a client, or nil where containerd does not run: then no
// container does.
func (r *runtime) running(ctx context.Context) (*hostcontainerd.Client, error) {
	if _, err := os.Stat(r.opt.Socket); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return r.connect(ctx, r.opt)
}

// started returns a client, for which containerd is started if it does not run.
func (r *runtime) started(ctx context.Context) (*hostcontainerd.Client, error) {
	opt := r.opt
	opt.Unit = hostcontainerd.Unit
	return r.connect(ctx, opt)
}

func (r *runtime) connect(ctx context.Context, opt hostcontainerd.Options) (*hostcontainerd.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, gone := os.Stat(opt.Socket)
	if r.client != nil && gone == nil {
		return r.client, nil
	}
	c, err := hostcontainerd.Connect(ctx, opt, r.log)
	if err == nil {
		r.client = c
	}
	return c, err
}

// close ends the connection.
func (r *runtime) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		_ = r.client.Close()
	}
}
