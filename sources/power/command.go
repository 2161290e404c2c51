// Package power reboots a node, switches it off or has it reset for those who may
// not do so themselves.
//
// The program is root's, and is started by systemd when somebody connects to
// its socket. It has systemd do what it was asked for, and ends when it has had
// nothing to do for a while.
package power

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/unixsocket"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// defaultIdle is how long the program stays after a request.
const defaultIdle = 10 * time.Second

// Command returns the program. It runs until nobody has needed it for a while.
func Command() *cobra.Command {
	idle := defaultIdle
	cmd := &cobra.Command{
		Use:   "power",
		Short: "Reboot a node, or switch it off",
		Long: `Reboot a node, or switch it off, for those who connect to the socket that the
service manager hands over. The program ends when nobody has done so for a while.`,
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
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			s := server{manager: systemd{}, log: log, idle: idle, private: disklayout.PrivateDir}
			return s.serve(cmd.Context(), l)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().DurationVar(&idle, "idle", defaultIdle, "`TIME` after which the program ends when nobody needs it")
	return cmd
}
