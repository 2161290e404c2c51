package probe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/probe"
)

// busy is a /proc of a system with one processor that is up at one time and works
// until another.
type busy struct {
	fstest.MapFS
	start     time.Time
	up, until time.Duration
}

func (b busy) Stat(name string) (fs.FileInfo, error) {
	if name != "1/root/run/"+probe.Mark || time.Since(b.start) < b.up {
		return nil, fs.ErrNotExist
	}
	return fs.Stat(b.MapFS, "meminfo")
}

func (b busy) ReadFile(name string) ([]byte, error) {
	if name != "stat" {
		return fs.ReadFile(b.MapFS, name)
	}
	on := time.Since(b.start)
	worked := min(on, b.until)
	return fmt.Appendf(nil, "cpu  %d 0 0 %d 0 0 0 0 0 0\ncpu0 1\n", worked.Milliseconds()/10, (on-worked).Milliseconds()/10), nil
}

// never is a node that is not there.
func never(context.Context) bool { return false }

// A node that is healthy is up, without the file that says so of other systems.
func TestWatchNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var out bytes.Buffer
		healthy := func(context.Context) bool { return time.Since(start) >= 10*time.Second }
		if err := probe.Watch(t.Context(), busy{files(nil), start, time.Hour, 0}, healthy, &out); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 55*time.Second {
			t.Errorf("Watch of a node that is healthy after 10s took %s, want 55s", took)
		}
	})
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name  string
		up    time.Duration // the system is up
		until time.Duration // it is busy
		want  time.Duration // facts are taken
	}{
		{"at rest", 0, 0, 45 * time.Second},
		{"busy until it is up", 10 * time.Second, 10 * time.Second, 55 * time.Second},
		{"at rest before it is up", 10 * time.Second, 0, 55 * time.Second},
		{"busy for a while", 10 * time.Second, 60 * time.Second, 65 * time.Second},
		{"never at rest", 0, time.Hour, 90 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var out bytes.Buffer
				if err := probe.Watch(t.Context(), busy{files(nil), start, tt.up, tt.until}, never, &out); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("Watch took %s, want %s", took, tt.want)
				}
				first, second, _ := strings.Cut(out.String(), "\n")
				if first != probe.Up {
					t.Errorf("Watch wrote %q first, want %q", first, probe.Up)
				}
				got, err := probe.Parse("[   12.5] " + second)
				if err != nil {
					t.Fatal(err)
				}
				want, err := probe.Read(files(nil), 0)
				if err != nil {
					t.Fatal(err)
				}
				want.Busy = got.Busy
				if diff := cmp.Diff(want.Processes, got.Processes); diff != "" {
					t.Errorf("Parse of what Watch wrote (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the system shuts down")
	cancel(why)
	if err := probe.Watch(ctx, busy{files(nil), time.Now(), time.Hour, time.Hour}, never, &bytes.Buffer{}); !errors.Is(err, why) {
		t.Errorf("Watch with an ended context: %v, want %v", err, why)
	}
	for _, text := range []string{"", "cpu 1 2 3\n", "cpu 1 2 3 four 5 6 7 8\n"} {
		if err := probe.Watch(t.Context(), files(map[string]string{"stat": text, "1/root/run/" + probe.Mark: ""}), never, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "stat: ") {
			t.Errorf("Watch with stat %q: %v, want a fault in it", text, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{"", probe.Up, probe.Found + "{"} {
		if f, err := probe.Parse(line); err == nil {
			t.Errorf("Parse(%q): %+v, want an error", line, f)
		}
	}
}
