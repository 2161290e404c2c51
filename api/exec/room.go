package exec

import (
	"context"
	"sync"
)

// A room has place for so many bytes.
type room struct {
	mu      sync.Mutex // guards what follows
	free    int
	waiting bool
	freed   chan struct{} // has a value when free has grown
}

func newRoom(bytes int) *room { return &room{free: bytes, freed: make(chan struct{}, 1)} }

// take waits for place for n bytes, or for the end of ctx. One may wait at a
// time.
func (r *room) take(ctx context.Context, n int) {
	for !r.try(n) {
		select {
		case <-ctx.Done():
			return
		case <-r.freed:
		}
	}
}

func (r *room) try(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = r.free < n
	if !r.waiting {
		r.free -= n
	}
	return !r.waiting
}

// give gives the place of n bytes back.
func (r *room) give(n int) {
	r.mu.Lock()
	r.free += n
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// crowded reports whether somebody waits for place.
func (r *room) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}
