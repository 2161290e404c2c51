// Package apiserver is the settings daemon of a node: it keeps the settings
// and answers the API on a Unix socket.
//
// With a root other than / it is a sandbox: it needs no privileges, and its own
// user is admin.
package apiserver

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// Options are what the command line says.
type Options struct {
	Root          string
	Socket        string
	SocketGID     int    // negative: leave the group as it is
	ReadSocket    string // for callers that only read; empty: none
	ReadSocketGID int    // as SocketGID
	ApplySocket   string
	Variant       string
	Image         string
	LogLevel      string
	Retain        int
}

// Command returns the program. It runs until its context ends.
func Command() *cobra.Command {
	var opt Options
	cmd := &cobra.Command{
		Use:   "apiserver",
		Short: "Keep the settings of a node and answer the settings API",
		Long: `Keep the settings of a node and answer the settings API on a Unix socket.

The state lies below ROOT/var/lib/bulkhead. With a root other than / the
daemon needs no privileges, and the user it runs as is admin: a sandbox.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Mistake(fmt.Errorf("argument %q is not expected", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.Retain < 1 {
				return usage.Mistake(fmt.Errorf("--retain %d is not acceptable, want 1 or more", opt.Retain))
			}
			log, err := logger(cmd, opt.LogLevel)
			if err != nil {
				return err
			}
			return Run(cmd.Context(), opt, log)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	f := cmd.Flags()
	f.StringVar(&opt.Root, "root", "/", "`DIR` that stands for the root of the node")
	f.StringVar(&opt.Socket, "socket", "/run/api.sock", "`PATH` of the socket")
	f.IntVar(&opt.SocketGID, "socket-gid", -1, "group that may use the socket, as a `NUMBER`")
	f.StringVar(&opt.ReadSocket, "read-socket", "", "`PATH` of a socket whose callers may only read, whoever they are (default: none)")
	f.IntVar(&opt.ReadSocketGID, "read-socket-gid", -1, "group that may use the socket for reading, as a `NUMBER`")
	f.StringVar(&opt.ApplySocket, "apply-socket", "", "`PATH` of the apply service's socket (default: "+applySocket+" when it is there and the root is /, else nothing is applied)")
	f.StringVar(&opt.Variant, "variant", "", "`NAME` of the variant (default: that of the image)")
	f.StringVar(&opt.Image, "image", "", "`DIR` that holds an image, for its version, variants and packages")
	f.StringVar(&opt.LogLevel, "log-level", "info", "least `LEVEL` to log: debug, info, warn or error")
	f.IntVar(&opt.Retain, "retain", 200, "`NUMBER` of generations to keep")
	return cmd
}

// logger returns the daemon's log. The journal adds the time by itself.
func logger(cmd *cobra.Command, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, usage.Mistake(fmt.Errorf("log level %q is not known, want debug, info, warn or error", level))
	}
	opt := &slog.HandlerOptions{Level: l}
	if os.Getenv("JOURNAL_STREAM") != "" {
		opt.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), opt)), nil
}
