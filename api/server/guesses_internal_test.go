package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// One host that guesses is held up, and others are not.
func TestGuessesOfOneHost(t *testing.T) {
	g, now := newGuesses(), time.Now()
	allowed := 0
	for range 100 {
		if _, ok := g.take("a", now); ok {
			allowed++
		}
	}
	if allowed != hostBurst {
		t.Errorf("%d guesses at once, want %d", allowed, hostBurst)
	}
	if wait, ok := g.take("b", now); !ok || wait != 0 {
		t.Errorf("guess of another host: %v after %s, want at once", ok, wait)
	}
	if _, ok := g.take("a", now.Add(time.Second)); !ok {
		t.Error("guess after a second: refused, want one more")
	}
	if _, ok := g.take("a", now.Add(time.Second)); ok {
		t.Error("second guess after a second: allowed, want one only")
	}
}

// Somebody with ever more addresses keeps nobody out for good, and all his
// guesses together stay below the bound.
func TestGuessesOfManyAddresses(t *testing.T) {
	g, now := newGuesses(), time.Now()
	address, allowed := 0, 0
	const seconds = 20
	for range seconds {
		for range 5 * allGuesses { // more than there is room for
			address++
			if _, ok := g.take(fmt.Sprint("a", address), now); ok {
				allowed++
			}
		}
		now = now.Add(time.Second)
	}
	most := int(float64(allGuesses) * (seconds + 1 + guessWait.Seconds()))
	if allowed > most {
		t.Errorf("%d guesses in %d seconds, want %d at most", allowed, seconds, most)
	}
	if len(g.hosts) > knownHosts || g.order.Len() != len(g.hosts) {
		t.Errorf("%d hosts are known, in a list of %d, want %d at most", len(g.hosts), g.order.Len(), knownHosts)
	}
	if wait, ok := g.take("the owner", now); !ok || wait > guessWait {
		t.Errorf("guess of the owner: %v after %s, want one within %s", ok, wait, guessWait)
	}
	// Whoever was refused because of others has lost nothing by that.
	for ok := true; ok; address++ {
		_, ok = g.take(fmt.Sprint("a", address), now)
	}
	for range 2 * hostBurst {
		if _, ok := g.take("another", now); ok {
			t.Fatal("guess while all are used up: allowed")
		}
	}
	for i := range hostBurst {
		if _, ok := g.take("another", now.Add(time.Minute)); !ok {
			t.Errorf("guess %d after the flood: refused", i+1)
		}
	}
}

// Many at a time have their turns one after the other.
func TestGuessesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		for i := range allGuesses + allGuesses/2 {
			g.take(fmt.Sprint(i), time.Now())
		}
		began := time.Now()
		if !g.await(t.Context(), "the owner", began) {
			t.Error("await: refused, want a turn")
		}
		if took := time.Since(began); took < 400*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("await took %s, want about half a second", took)
		}
	})
}
