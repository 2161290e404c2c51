package server

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often codes may be given.
const (
	// hostGuesses are those of a host in a second, and hostBurst those that it has
	// at once: people make mistakes.
	hostGuesses = 1
	hostBurst   = 5
	// allGuesses are those of all hosts in a second. At that rate forty bits take
	// seventy years.
	allGuesses = 500
	// guessWait is how long somebody waits for his turn when many give codes.
	guessWait = 2 * time.Second
	// knownHosts is how many hosts are told apart. Of more, the one that was heard
	// of least recently is forgotten: whoever has many addresses gains guesses by
	// that, which all together are bounded, and keeps nobody out for good.
	knownHosts = 4096
)

// guesses say who may give a code, and when.
type guesses struct {
	mu    sync.Mutex // guards what follows
	all   *rate.Limiter
	hosts map[string]*list.Element
	order *list.List // of *guesser; the one heard of last in front
}

// A guesser is a host that gives codes.
type guesser struct {
	host  string
	limit *rate.Limiter
}

func newGuesses() *guesses {
	return &guesses{all: rate.NewLimiter(allGuesses, allGuesses), hosts: map[string]*list.Element{}, order: list.New()}
}

// take reserves a guess for a host, and returns how long it has to wait for that.
// It reports false for one that has none left.
func (g *guesses) take(host string, now time.Time) (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.of(host).ReserveN(now, 1)
	if own.DelayFrom(now) > 0 {
		own.CancelAt(now)
		return 0, false
	}
	turn := g.all.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait > guessWait {
		turn.CancelAt(now)
		own.CancelAt(now) // it is not the host's fault
		return 0, false
	}
	return wait, true
}

// of returns the limit of a host.
func (g *guesses) of(host string) *rate.Limiter {
	if e := g.hosts[host]; e != nil {
		g.order.MoveToFront(e)
		return e.Value.(*guesser).limit
	}
	if len(g.hosts) >= knownHosts {
		oldest := g.order.Remove(g.order.Back()).(*guesser)
		delete(g.hosts, oldest.host)
	}
	l := rate.NewLimiter(hostGuesses, hostBurst)
	g.hosts[host] = g.order.PushFront(&guesser{host, l})
	return l
}

// await waits for a guess of a host, and reports whether it has one.
func (g *guesses) await(ctx context.Context, host string, now time.Time) bool {
	wait, ok := g.take(host, now)
	if !ok || wait == 0 {
		return ok
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
