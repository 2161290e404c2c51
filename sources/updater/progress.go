package updater

import (
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotwriter"
)

// A progress says how far an action is, in the status, as it goes on.
type progress struct {
	e     *engine
	count slotwriter.Counts
	done  bool // all is recorded

	mu     sync.Mutex // guards what follows
	p      updater.Progress
	source source

	end   chan struct{}
	ended sync.WaitGroup
	once  sync.Once
}

// between is how often the status is written meanwhile.
const between = time.Second

// begin makes the status say that r goes on.
func (e *engine) begin(r updater.Request) *progress {
	now := e.now().UTC()
	p := &progress{e: e, end: make(chan struct{})}
	p.p = updater.Progress{Action: r.Action, Step: "begin", Started: now, Updated: now, Running: true}
	p.write()
	p.ended.Go(func() {
		t := time.NewTicker(between)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				p.write()
			case <-p.end:
				return
			}
		}
	})
	return p
}

// step says what goes on from now on. It is written with the rest: each write waits
// for the disk.
func (p *progress) step(name string) { p.set(func(now *updater.Progress) { now.Step = name }) }

func (p *progress) set(f func(*updater.Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.p)
}

// from says where bytes come from.
func (p *progress) from(s source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.source = s
}

func (p *progress) version() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.p.Version
}

// now returns how far the action is.
func (p *progress) now() updater.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.p
	now.Updated = p.e.now().UTC()
	now.Patched += p.count.Patched.Load()
	now.Reused += p.count.Reused.Load()
	now.Fetched += p.count.Fetched.Load()
	if p.source != nil {
		now.Received = p.source.Received()
	}
	return now
}

// write writes the status. That it cannot be written does not end the action: the
// next time, or its end, may have more luck.
func (p *progress) write() {
	now := p.now()
	err := p.e.store.update(func(s *updater.Status) { s.Progress = &now })
	if err != nil {
		p.e.log.Warn("status not written", "err", err)
	}
}

// stop ends the writing. It may be called again.
func (p *progress) stop() {
	p.once.Do(func() {
		close(p.end)
		p.ended.Wait()
	})
}
