package store

import (
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/models/key"
)

// The kinds of event.
const (
	EventCommit       = "commit"
	EventRevert       = "revert"
	EventTryStarted   = "try-started"
	EventTryConfirmed = "try-confirmed"
	EventTryReverted  = "try-reverted"
	EventGenerated    = "generated"
	EventExpired      = "tx-expired" // a transaction was discarded without being asked for; Message says why
	EventRecovered    = "recovered"
	EventMigrated     = "migrated"
)

// An Event is something that happened to the settings.
type Event struct {
	Kind       string    `json:"kind"`
	Generation uint64    `json:"generation"` // the current one afterwards
	Keys       []key.Key `json:"keys,omitempty"`
	Actor      Actor     `json:"actor"`
	Message    string    `json:"message,omitempty"`
	Time       time.Time `json:"time"`
}

// A courier hands events on in the order in which they were posted, one at a
// time, by whichever goroutine comes first. A receiver may call the store.
type courier struct {
	receive func(Event)

	mu    sync.Mutex // guards what follows
	queue []Event
	busy  bool
}

func (c *courier) post(e Event) {
	if c.receive == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, e)
}

// deliver hands on what is queued, unless another goroutine is at it, which
// then does so.
func (c *courier) deliver() {
	for batch := c.take(); len(batch) > 0; batch = c.next() {
		for _, e := range batch {
			c.receive(e)
		}
	}
}

// take returns what is queued, for the caller to deliver before it calls next;
// nothing while somebody else does that.
func (c *courier) take() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy {
		return nil
	}
	return c.rest()
}

// next returns what was queued since take.
func (c *courier) next() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rest()
}

func (c *courier) rest() []Event {
	batch := c.queue
	c.queue, c.busy = nil, len(batch) > 0
	return batch
}
