package event_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/event"
)

func subscribe(t *testing.T, h *event.Hub, after string, kinds ...string) *event.Stream {
	t.Helper()
	s, err := h.Subscribe(after, kinds...)
	if err != nil {
		t.Fatalf("Subscribe(%q, %v): %v", after, kinds, err)
	}
	t.Cleanup(s.Close)
	return s
}

// taken renders what waits in s.
func taken(t *testing.T, s *event.Stream) string {
	t.Helper()
	events, err := s.Take()
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Kind+":"+string(e.Data))
	}
	return strings.Join(out, " ")
}

func TestResume(t *testing.T) {
	h := event.NewHub(event.Options{Ring: 3})
	before := h.Last()
	s := subscribe(t, h, "")
	var ids []string
	for _, data := range []string{"1", "2", "3", "4", "5"} {
		h.Publish("commit", []byte(data))
		ids = append(ids, h.Last())
	}
	h.Publish("generated", []byte("6"))
	all, err := s.Take()
	if err != nil || len(all) != 6 || all[0].ID != ids[0] {
		t.Fatalf("Take() = %v, %v, want six events, the first %s", all, err, ids[0])
	}
	other := event.NewHub(event.Options{})
	tests := []struct {
		name, after string
		kinds       []string
		want        string
	}{
		{"nothing seen yet", "", nil, ""},
		{"the newest", h.Last(), nil, ""},
		{"some missed", ids[3], nil, "commit:5 generated:6"},
		{"all that is kept", ids[2], nil, "commit:4 commit:5 generated:6"},
		{"one kind of what was missed", ids[2], []string{"generated", "revert"}, "generated:6"},
		{"one more than is kept", ids[1], nil, "reset:{} commit:4 commit:5 generated:6"},
		{"before the first", before, nil, "reset:{} commit:4 commit:5 generated:6"},
		{"another epoch", other.Last(), nil, "reset:{} commit:4 commit:5 generated:6"},
		{"from the future", strings.TrimSuffix(h.Last(), "6") + "7", nil, "reset:{} commit:4 commit:5 generated:6"},
		{"not an id", "17", nil, "reset:{} commit:4 commit:5 generated:6"},
		{"a reset whatever kinds are wanted", "x", []string{"generated"}, "reset:{} generated:6"},
		{"a reset and nothing of the kinds wanted", "x", []string{"revert"}, "reset:{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := subscribe(t, h, tt.after, tt.kinds...)
			if diff := cmp.Diff(tt.want, taken(t, s)); diff != "" {
				t.Errorf("Subscribe(%q, %v): events (-want +got):\n%s", tt.after, tt.kinds, diff)
			}
		})
	}
}

// A stream that breaks off right behind a reset and resumes with its id gets
// all that the reset came with, and what happened meanwhile.
func TestResumeFromReset(t *testing.T) {
	for _, published := range []int{0, 1, 3, 5} { // none, fewer than are kept, as many, more
		h := event.NewHub(event.Options{Ring: 3})
		for range published {
			h.Publish("commit", []byte("old"))
		}
		events, err := subscribe(t, h, "gone-1").Take()
		kept := min(published, 3)
		if err != nil || len(events) != 1+kept || events[0].Kind != event.Reset {
			t.Fatalf("Take() after %d events = %v, %v, want a reset and %d events", published, events, err, kept)
		}
		want := strings.TrimSuffix(strings.Repeat("commit:old ", kept), " ")
		if got := taken(t, subscribe(t, h, events[0].ID)); got != want {
			t.Errorf("events behind the reset after %d events: %q, want %q", published, got, want)
		}
	}
	h := event.NewHub(event.Options{Ring: 3})
	events, err := subscribe(t, h, "gone-1").Take()
	if err != nil || len(events) != 1 {
		t.Fatalf("Take() = %v, %v, want one event", events, err)
	}
	h.Publish("commit", []byte("1"))
	if got := taken(t, subscribe(t, h, events[0].ID)); got != "commit:1" {
		t.Errorf("events behind the reset of an empty hub: %q, want commit:1", got)
	}
}

// Having missed more than may wait does not make a stream slow.
func TestResumeBeyondBacklog(t *testing.T) {
	h := event.NewHub(event.Options{Backlog: 2})
	for range 5 {
		h.Publish("commit", nil)
	}
	s := subscribe(t, h, "0")
	for range 2 {
		h.Publish("commit", nil)
	}
	if events, err := s.Take(); len(events) != 8 || err != nil {
		t.Errorf("Take() = %d events, %v, want a reset and seven", len(events), err)
	}
	for range 3 {
		h.Publish("commit", nil)
	}
	if _, err := s.Take(); !errors.Is(err, event.ErrSlow) {
		t.Errorf("Take() of a stream that takes nothing: %v, want %v", err, event.ErrSlow)
	}
}

func TestBounds(t *testing.T) {
	h := event.NewHub(event.Options{Streams: 2, Backlog: 3})
	slow, quick := subscribe(t, h, ""), subscribe(t, h, "")
	if _, err := h.Subscribe(""); !errors.Is(err, event.ErrTooManyStreams) {
		t.Errorf("third Subscribe: %v, want %v", err, event.ErrTooManyStreams)
	}
	for range 4 {
		h.Publish("commit", []byte("x"))
		if got := taken(t, quick); got != "commit:x" {
			t.Errorf("quick stream: %q, want commit:x", got)
		}
	}
	if _, err := slow.Take(); !errors.Is(err, event.ErrSlow) {
		t.Errorf("slow stream: %v, want %v", err, event.ErrSlow)
	}
	if got := h.Streams(); got != 1 {
		t.Errorf("Streams() = %d, want 1", got)
	}
	if _, err := h.Subscribe(""); err != nil {
		t.Errorf("Subscribe after the slow stream ended: %v", err)
	}
}

func TestCloseDeliversWhatWaits(t *testing.T) {
	h := event.NewHub(event.Options{})
	s := subscribe(t, h, "")
	h.Publish("commit", []byte("last"))
	h.Close()
	<-s.More()
	if got := taken(t, s); got != "commit:last" {
		t.Errorf("Take() after Close: %q, want the last event", got)
	}
	<-s.More()
	if _, err := s.Take(); !errors.Is(err, event.ErrClosed) {
		t.Errorf("second Take() after Close: %v, want %v", err, event.ErrClosed)
	}
	if _, err := h.Subscribe(""); !errors.Is(err, event.ErrClosed) {
		t.Errorf("Subscribe after Close: %v, want %v", err, event.ErrClosed)
	}
}

func TestConcurrent(t *testing.T) {
	h := event.NewHub(event.Options{Backlog: 10000, Streams: 100})
	s := subscribe(t, h, "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				h.Publish("commit", nil)
				if other, err := h.Subscribe(h.Last()); err == nil {
					other.Close()
				}
			}
		})
	}
	all.Wait()
	if events, err := s.Take(); len(events) != 800 || err != nil {
		t.Errorf("Take() = %d events, %v, want 800", len(events), err)
	}
}
