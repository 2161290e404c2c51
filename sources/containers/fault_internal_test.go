package containers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
)

func TestStartFault(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want report.Code
	}{
		{"image", fmt.Errorf("container web: %w", hostcontainerd.ImageError{}), codeImage},
		{"image that does not fit", fmt.Errorf("unpack: write /x: no space left on device"), codeFull},
		{"port", fmt.Errorf("connect it: %w", containernet.ErrTaken), codePort},
		{"something else", errors.New("make the container: no"), codeStart},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := startFault("web", tt.err)
			if got.Code != tt.want || got.Path != "settings.containers.web" || got.Hint == "" {
				t.Errorf("startFault(%v) = %+v, want code %s, the path and a hint", tt.err, got, tt.want)
			}
		})
	}
}

func TestEndFault(t *testing.T) {
	for memory, want := range map[bool]string{true: "had come to its end; it ended with exit status 137", false: "it ended with exit status 137"} {
		if got := endFault("web", 137, memory); !strings.HasSuffix(got.Detail, want) || (got.Code == codeMemory) != memory {
			t.Errorf("endFault with memory %v = %+v, want %q", memory, got, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		name      string
		add, drop []string
		want      []string
	}{
		{"usual", nil, nil, []string{
			"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID",
		}},
		{"none", nil, []string{"all"}, []string{}},
		{"one", []string{"net-raw"}, []string{"all"}, []string{"CAP_NET_RAW"}},
		{"one of the usual", []string{"kill"}, []string{"all"}, []string{"CAP_KILL"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c container
			c.Capabilities.Add, c.Capabilities.Drop = tt.add, tt.drop
			if diff := cmp.Diff(tt.want, c.capabilities()); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
		})
	}
}

// A container counts as not healthy once enough tries in a row have failed, not
// while it begins, and not for what an earlier one did.
func TestNote(t *testing.T) {
	dir := t.TempDir()
	p := &host{state: dir, health: dir + "/health", log: journallog.New(t.Output())}
	started := time.Now().Add(-time.Minute).Truncate(time.Second)
	if err := p.change("web", func(s *state) { s.Started = started }); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("no answer")
	steps := []struct {
		name    string
		started time.Time
		period  string
		err     error
		healthy bool
		fault   bool
	}{
		{name: "first failure", started: started, err: bad},
		{name: "while it begins", started: started, period: "2m", err: bad},
		{name: "of an earlier one", started: started.Add(-time.Hour), err: bad},
		{name: "second failure", started: started, err: bad, fault: true},
		{name: "well", started: started, healthy: true},
		{name: "a failure", started: started, err: bad, healthy: true},
	}
	for _, tt := range steps {
		h := &health{Retries: 2}
		if tt.period != "" {
			if err := h.StartPeriod.UnmarshalText([]byte(tt.period)); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.note("web", tt.started, h, tt.err); err != nil {
			t.Fatal(err)
		}
		s, err := p.load("web")
		if err != nil || s.Healthy != tt.healthy || (s.Fault != nil) != tt.fault {
			t.Errorf("%s: state %+v, %v, want healthy %v, fault %v", tt.name, s, err, tt.healthy, tt.fault)
		}
	}
}
