// Package event hands events to streams that may break off and resume.
//
// A hub keeps the last events in a ring. Each has an id made of the hub's
// epoch, which differs from one run of the program to the next, and a number;
// a stream that resumes with the id it saw last gets what it missed. When this
// can no longer be known, it is told so and gets all that is kept. Nobody waits
// for a slow stream: it is ended, and may resume.
package event

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Reset is the kind of the event that stands for events which may be lost to a
// stream: it resumed with an id that is unknown or too old. The stream has to
// read anew whatever it derived from events. All events that are kept follow.
const Reset = "reset"

// The reasons why there is no stream or why one ended.
var (
	ErrTooManyStreams = errors.New("too many event streams")
	ErrSlow           = errors.New("the stream does not take events fast enough")
	ErrClosed         = errors.New("the hub is closed")
)

// An Event is one thing that happened.
type Event struct {
	ID   string
	Kind string
	Data []byte // not to be changed
}

// Options bound a hub. Zero values mean what is said there.
type Options struct {
	Ring    int // events kept; 1024
	Streams int // streams at a time; 32
	Backlog int // new events that may wait in one stream; 256
}

// A Hub distributes events. It is safe for concurrent use.
type Hub struct {
	opt   Options
	epoch string

	mu      sync.Mutex // guards what follows
	seq     uint64     // of the newest event
	ring    []Event    // the newest last
	streams map[*Stream]bool
	closed  bool
}

// A Stream receives events.
type Stream struct {
	hub   *Hub
	kinds []string // nil means all
	more  chan struct{}
	start string

	// Guarded by hub.mu.
	waiting []Event
	resumed int // how many of waiting it missed before it was opened
	err     error
}

// NewHub returns a hub of a new epoch.
func NewHub(opt Options) *Hub {
	if opt.Ring == 0 {
		opt.Ring = 1024
	}
	if opt.Streams == 0 {
		opt.Streams = 32
	}
	if opt.Backlog == 0 {
		opt.Backlog = 256
	}
	return &Hub{opt: opt, epoch: strings.ToLower(rand.Text()[:8]), streams: map[*Stream]bool{}}
}

func (h *Hub) id(seq uint64) string { return h.epoch + "-" + strconv.FormatUint(seq, 10) }

// Publish hands an event to all streams that want its kind. It does not wait
// for them.
func (h *Hub) Publish(kind string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.seq++
	e := Event{ID: h.id(h.seq), Kind: kind, Data: data}
	if len(h.ring) == h.opt.Ring {
		h.ring = append(h.ring[:0], h.ring[1:]...)
	}
	h.ring = append(h.ring, e)
	for s := range h.streams {
		s.offer(e)
	}
}

// Streams returns the number of open streams.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// Close ends all streams once they have taken what is waiting for them.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.streams {
		s.end(ErrClosed)
	}
}

// Subscribe opens a stream of the given kinds, none meaning all. With after
// empty it begins with the next event; otherwise with what came behind the
// event of that id, or, where that cannot be told, with a Reset and all events
// that are kept.
func (h *Hub) Subscribe(after string, kinds ...string) (*Stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case len(h.streams) >= h.opt.Streams:
		return nil, ErrTooManyStreams
	}
	s := &Stream{hub: h, kinds: kinds, more: make(chan struct{}, 1), start: h.id(h.seq)}
	if after != "" {
		s.resume(h, after)
	}
	h.streams[s] = true
	return s, nil
}

// Last returns the id of the newest event.
func (h *Hub) Last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id(h.seq)
}

func (s *Stream) resume(h *Hub, after string) {
	seq, ok := h.parse(after)
	first := h.seq - uint64(len(h.ring)) // the newest that is no longer kept
	if !ok || seq < first {
		// Resuming from the reset gives again what follows it.
		seq = first
		s.add(Event{ID: h.id(first), Kind: Reset, Data: []byte("{}")})
	}
	for _, e := range h.ring[seq-first:] {
		if s.wants(e.Kind) {
			s.add(e)
		}
	}
	s.resumed = len(s.waiting)
}

// parse returns the number in an id of this epoch.
func (h *Hub) parse(id string) (uint64, bool) {
	text, ok := strings.CutPrefix(id, h.epoch+"-")
	if !ok {
		return 0, false
	}
	seq, err := strconv.ParseUint(text, 10, 64)
	return seq, err == nil && seq <= h.seq
}

func (s *Stream) wants(kind string) bool { return len(s.kinds) == 0 || slices.Contains(s.kinds, kind) }

func (s *Stream) offer(e Event) {
	switch {
	case !s.wants(e.Kind):
	case len(s.waiting)-s.resumed >= s.hub.opt.Backlog:
		s.waiting, s.resumed = nil, 0
		s.end(ErrSlow)
	default:
		s.add(e)
	}
}

// add puts e into the stream, whatever waits there.
func (s *Stream) add(e Event) {
	s.waiting = append(s.waiting, e)
	s.signal()
}

func (s *Stream) end(err error) {
	s.err = err
	delete(s.hub.streams, s)
	s.signal()
}

func (s *Stream) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Start returns the id of the newest event at the time the stream was opened,
// from which it can resume until it has seen another.
func (s *Stream) Start() string { return s.start }

// More returns the channel that is sent to when Take may have something.
func (s *Stream) More() <-chan struct{} { return s.more }

// Take returns the events that wait, oldest first, without waiting itself.
// When the stream has ended and nothing waits, it says why.
func (s *Stream) Take() ([]Event, error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	events := s.waiting
	s.waiting, s.resumed = nil, 0
	if len(events) > 0 {
		if s.err != nil {
			s.signal() // come back for the reason
		}
		return events, nil
	}
	return nil, s.err
}

// Close ends the stream.
func (s *Stream) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.err == nil {
		s.end(ErrClosed)
	}
}
