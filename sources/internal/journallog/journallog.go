// Package journallog writes a program's log for the journal.
package journallog

import (
	"io"
	"log/slog"
)

// New returns a log that leaves the time to the journal, which notes it for each
// line.
func New(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
