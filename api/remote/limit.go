package remote

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what callers can take of the node. Zero values stand for the
// usual ones.
type Limits struct {
	Connections int        // open at a time
	PerAddress  int        // of these, from one address
	Handshakes  rate.Limit // new connections of an address, per second
	Requests    rate.Limit // of a certificate, per second
}

// A burst is that many seconds' worth.
const burst = 5

// maxBuckets is how many addresses or certificates are kept account of.
const maxBuckets = 4096

func (l Limits) usual() Limits {
	if l.Connections == 0 {
		l.Connections = 64
	}
	if l.PerAddress == 0 {
		l.PerAddress = 32
	}
	if l.Handshakes == 0 {
		l.Handshakes = 20
	}
	if l.Requests == 0 {
		l.Requests = 50
	}
	return l
}

// buckets limit a rate for each key.
type buckets[K comparable] struct {
	limit rate.Limit

	mu sync.Mutex // guards m
	m  map[K]*rate.Limiter
}

func newBuckets[K comparable](limit rate.Limit) *buckets[K] {
	return &buckets[K]{limit: limit, m: map[K]*rate.Limiter{}}
}

// allow reports whether k may have one more at now.
func (b *buckets[K]) allow(k K, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.m[k]
	if l == nil {
		if len(b.m) >= maxBuckets {
			b.forget(now)
		}
		if len(b.m) >= maxBuckets {
			return false // as many as that are at their limits
		}
		l = rate.NewLimiter(b.limit, b.size())
		b.m[k] = l
	}
	return l.AllowN(now, 1)
}

func (b *buckets[K]) size() int { return max(int(b.limit*burst), 1) }

// forget drops the keys that a new bucket would do as well for.
func (b *buckets[K]) forget(now time.Time) {
	for k, l := range b.m {
		if l.TokensAt(now) >= float64(b.size()) {
			delete(b.m, k)
		}
	}
}

// subnet returns what is counted as one address: an IPv6 host has a whole /64
// to choose from.
func subnet(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() || !a.IsValid() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
