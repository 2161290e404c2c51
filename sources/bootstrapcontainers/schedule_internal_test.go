package bootstrapcontainers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/sources/internal/bootentry"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// A stage is an engine whose containers take a second each, and end as their
// command says.
type stage struct {
	mu   sync.Mutex
	said []string
	run  map[string]hostcontainerd.Definition
}

func (s *stage) say(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, strings.Join(words, " "))
}

func (s *stage) Start(_ context.Context, d hostcontainerd.Definition) error {
	s.say("start", d.Name)
	if d.Source == "missing" {
		return errors.New("there is no such image")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run[d.ID()] = d
	return nil
}

func (s *stage) Wait(ctx context.Context, id string) (uint32, error) {
	s.mu.Lock()
	d := s.run[id]
	s.mu.Unlock()
	takes := time.Second
	if d.Source == "endless" {
		takes = 24 * time.Hour
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(takes):
	}
	s.say("end", d.Name)
	if d.Source == "bad" {
		return 9, nil
	}
	return 0, nil
}

func (s *stage) Stop(_ context.Context, id string) error {
	s.say("stop", id)
	return nil
}

func (s *stage) Remove(context.Context, string) error { return nil }

func container(name, source string, after ...string) entry {
	return entry{
		Definition: hostcontainerd.Definition{Name: name, Kind: hostcontainerd.Bootstrap, Source: source},
		Entry:      bootentry.Entry{Mode: scalar.BootstrapAlways}, After: after,
	}
}

func essential(e entry) entry {
	e.Essential = true
	return e
}

func timed(e entry, timeout string) entry {
	e.Timeout = timeout
	return e
}

func TestSchedule(t *testing.T) {
	const isEssential = "; it is essential, so nothing that needs a configured node was started"
	tests := []struct {
		name   string
		list   []entry
		said   []string // each group of lines that belong to one moment, sorted
		faults []string
		err    string
		took   time.Duration
	}{
		{
			name: "side by side", list: []entry{container("a", "good"), container("b", "good")},
			said: []string{"start a", "start b", "end a", "end b"}, took: time.Second,
		},
		{
			name: "one after the other",
			list: []entry{container("a", "good", "b"), container("b", "bad", "c", "gone"), container("c", "good")},
			said: []string{"start c", "end c", "start b", "end b", "start a", "end a"}, took: 3 * time.Second,
			faults: []string{"settings.bootstrap-containers.b: exit status 9"},
		},
		{
			name: "no image", list: []entry{container("a", "missing")}, said: []string{"start a"},
			faults: []string{"settings.bootstrap-containers.a: there is no such image"},
		},
		{
			name: "essential",
			list: []entry{essential(container("a", "bad")), container("b", "good", "a"), container("c", "endless")},
			said: []string{"start a", "start c", "end a", "end c"}, took: 24 * time.Hour,
			faults: []string{
				"settings.bootstrap-containers.a: exit status 9" + isEssential,
				"settings.bootstrap-containers.b: not started, since an essential container failed before",
			},
			err: "bootstrap container a: essential container failed",
		},
		{
			name: "timeout", list: []entry{timed(container("a", "endless"), "1m"), timed(container("b", "good"), "1m")},
			said: []string{"start a", "start b", "end b", "stop boot.a"}, took: time.Minute,
			faults: []string{"settings.bootstrap-containers.a: not done within 1m0s: context deadline exceeded"},
		},
		{
			name: "after one another", list: []entry{container("a", "good", "b"), essential(container("b", "good", "a")), container("c", "good")},
			said: []string{"start c", "end c"}, took: time.Second,
			faults: []string{
				"settings.bootstrap-containers.a: not started, since it is to run after containers that are to run after it: b",
				"settings.bootstrap-containers.b: not started, since it is to run after containers that are to run after it: a" + isEssential,
			},
			err: "bootstrap container b: essential container was not started",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ran := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				on := &stage{run: map[string]hostcontainerd.Definition{}}
				s := schedule{engine: on, ran: ran, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
				start := time.Now()
				faults, err := s.run(t.Context(), tt.list)
				if took := time.Since(start); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if diff := cmp.Diff(byMoment(tt.said), byMoment(on.said)); diff != "" {
					t.Errorf("what was done (-want +got):\n%s", diff)
				}
				var got []string
				for _, f := range faults {
					got = append(got, f.Path+": "+f.Detail)
				}
				if diff := cmp.Diff(tt.faults, got); diff != "" {
					t.Errorf("faults (-want +got):\n%s", diff)
				}
				if text := errorText(err); text != tt.err {
					t.Errorf("error %q, want %q", text, tt.err)
				}
			})
		})
	}
}

// byMoment sorts neighbouring lines that begin with the same word, since what
// happens at one moment has no order.
func byMoment(lines []string) []string {
	lines = slices.Clone(lines)
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && verb(lines[to]) == verb(lines[from]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = to
	}
	return lines
}

func verb(line string) string {
	word, _, _ := strings.Cut(line, " ")
	return word
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A container that ran since the node was started does not run again.
func TestScheduleTwice(t *testing.T) {
	ran := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		on := &stage{run: map[string]hostcontainerd.Definition{}}
		s := schedule{engine: on, ran: ran, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		for range 2 {
			if faults, err := s.run(t.Context(), []entry{container("a", "bad")}); err != nil || len(faults) > 1 {
				t.Errorf("run: %v, %v", faults, err)
			}
		}
		if diff := cmp.Diff([]string{"start a", "end a"}, on.said); diff != "" {
			t.Errorf("what was done (-want +got):\n%s", diff)
		}
	})
}

// A container that was to run once is switched off after it has.
func TestScheduleOnce(t *testing.T) {
	dir := t.TempDir()
	client, calls := filepath.Join(dir, "apiclient"), filepath.Join(dir, "calls")
	if err := os.WriteFile(client, []byte("#!/bin/sh\necho \"$*\" >> "+calls+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	on := &stage{run: map[string]hostcontainerd.Definition{}}
	s := schedule{engine: on, ran: dir, client: client, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	good, bad := container("a", "good"), container("b", "bad")
	good.Mode, bad.Mode = scalar.BootstrapOnce, scalar.BootstrapOnce
	if _, err := s.run(t.Context(), []entry{good, bad}); err != nil {
		t.Errorf("run: %v", err)
	}
	got, err := os.ReadFile(calls)
	if want := "set bootstrap-containers.a.mode=off\n"; err != nil || string(got) != want {
		t.Errorf("calls of the client: %q, %v, want %q", got, err, want)
	}
}

func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.toml": "source = \"x\"\nmode = \"once\"\nessential = true\nafter = [\"b\"]\ntimeout = \"5m\"\ncommand = [\"/a\", \"b\"]\nuser-data = \"YQ==\"\n\n[proxy]\nhttps = \"p\"\ndirect = [\"localhost\"]\n",
		"b.toml": "source = \"x\"\nunknown = 1\n", ".c.toml": "{", "d": "{",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, faults, err := readAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{{
		Definition: hostcontainerd.Definition{
			Name: "a", Kind: hostcontainerd.Bootstrap, Source: "x", Command: []string{"/a", "b"}, UserData: "YQ==",
			Proxy: hostcontainerd.Proxy{HTTPS: "p", Direct: []string{"localhost"}},
		},
		Entry: bootentry.Entry{Mode: scalar.BootstrapOnce, Essential: true}, After: []string{"b"}, Timeout: "5m",
	}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("readAll (-want +got):\n%s", diff)
	}
	if len(faults) != 1 || faults[0].Path != "settings.bootstrap-containers.b" || faults[0].Code != bootentry.Unusable {
		t.Errorf("faults %v, want one of b", faults)
	}
}
