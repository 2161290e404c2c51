package apply

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// An idler finds out when nobody has been connected for a while.
type idler struct {
	limit time.Duration // 0: never
	once  bool          // the end of the first connection is enough
	idle  chan struct{} // closed when that is so

	mu    sync.Mutex
	open  int         // connections; guarded by mu
	timer *time.Timer // runs while there are none; guarded by mu
	end   sync.Once

	conns sync.WaitGroup
}

func newIdler(limit time.Duration, once bool) *idler {
	i := &idler{limit: limit, once: once, idle: make(chan struct{})}
	if limit > 0 {
		i.timer = time.AfterFunc(limit, i.expire)
	}
	return i
}

func (i *idler) expire() {
	i.mu.Lock()
	busy := i.open > 0 // a connection may have come just now
	i.mu.Unlock()
	if !busy {
		i.end.Do(func() { close(i.idle) })
	}
}

// note is the hook of the server for the states of its connections. Each of
// them serves one request.
func (i *idler) note(_ net.Conn, state http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch state {
	case http.StateNew:
		i.open++
		i.conns.Add(1)
		if i.timer != nil {
			i.timer.Stop()
		}
	case http.StateClosed, http.StateHijacked:
		i.open--
		i.conns.Done()
		if i.open == 0 && i.timer != nil {
			i.timer.Reset(i.limit)
		}
		if i.open == 0 && i.once {
			i.end.Do(func() { close(i.idle) })
		}
	}
}
