package apply

import (
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

// A queue carries out one request at a time. Of those that wait only the newest
// generation is carried out, and all of them get its result: settings are
// applied as a whole, so the older ones are contained in it or taken back by it.
type queue struct {
	apply func(applier.Request, func(applier.Item)) applier.Result

	mu      sync.Mutex
	waiting []*ticket       // guarded by mu
	running bool            // guarded by mu
	last    *applier.Result // of the newest generation; drain's own
	ended   time.Time       // of the apply with that result; drain's own
	work    sync.WaitGroup
}

// A ticket is one request in the queue.
type ticket struct {
	request applier.Request

	mu    sync.Mutex
	items []applier.Item // that nobody has taken yet; guarded by mu
	more  chan struct{}  // has a value when there are items
}

// put adds an item. It never waits for the one who takes them.
func (t *ticket) put(item applier.Item) {
	t.mu.Lock()
	t.items = append(t.items, item)
	t.mu.Unlock()
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// take returns what there is, after waiting for something. The last item ever
// has the result.
func (t *ticket) take() []applier.Item {
	<-t.more
	t.mu.Lock()
	defer t.mu.Unlock()
	items := t.items
	t.items = nil
	return items
}

// submit queues req.
func (q *queue) submit(req applier.Request) *ticket {
	t := &ticket{request: req, more: make(chan struct{}, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, t)
	if !q.running {
		q.running = true
		q.work.Go(q.drain)
	}
	return t
}

// wait returns when nothing is waiting or under way.
func (q *queue) wait() { q.work.Wait() }

func (q *queue) drain() {
	for {
		batch := q.next()
		if batch == nil {
			return
		}
		q.carryOut(batch)
	}
}

// next returns all that waits, or nil when the work is done.
func (q *queue) next() []*ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.waiting
	q.waiting = nil
	if len(batch) == 0 {
		q.running = false
		return nil
	}
	return batch
}

// overtaking is how much later than a newer request an older one may come. One
// that comes still later is from a store that counts generations anew.
const overtaking = 2 * time.Second

// carryOut carries the newest of batch out. A batch that is older than what was
// carried out just before gets that result: requests may overtake each other.
func (q *queue) carryOut(batch []*ticket) {
	newest := batch[0].request
	for _, t := range batch[1:] {
		if t.request.Generation >= newest.Generation {
			newest = t.request
		}
	}
	if q.last == nil || newest.Generation >= q.last.Generation || time.Since(q.ended) > overtaking {
		res := q.apply(newest, func(item applier.Item) { all(batch, item) })
		q.last, q.ended = &res, time.Now()
	}
	all(batch, applier.Item{Result: q.last})
}

func all(batch []*ticket, item applier.Item) {
	for _, t := range batch {
		t.put(item)
	}
}
