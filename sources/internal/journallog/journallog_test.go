package journallog_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
)

func TestNew(t *testing.T) {
	var out strings.Builder
	journallog.New(&out).Info("done", "files", 2, slog.Group("last", slog.Time("time", time.Unix(0, 0).UTC())))
	const want = "level=INFO msg=done files=2 last.time=1970-01-01T00:00:00.000Z\n"
	if out.String() != want {
		t.Errorf("Info wrote %q, want %q", out.String(), want)
	}
}
