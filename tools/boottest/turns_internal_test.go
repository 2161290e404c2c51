package boottest

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// However machines with one and two processors are mixed, no more than there are
// run at a time, and all come to their turn.
func TestTakeTurn(t *testing.T) {
	l := &Lab{work: t.TempDir()}
	var busy atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		n := 1 + i%3/2 // 1, 1, 2
		all.Go(func() {
			giveBack, err := l.takeTurn(n)
			if err != nil {
				t.Error(err)
				return
			}
			if now := busy.Add(int32(n)); now > processors {
				t.Errorf("%d processors are taken, want at most %d", now, processors)
			}
			busy.Add(int32(-n))
			giveBack()
		})
	}
	all.Wait()
	for _, n := range []int{0, processors + 1} {
		if _, err := l.takeTurn(n); err == nil || !strings.Contains(err.Error(), "want 1 to 2") {
			t.Errorf("takeTurn(%d): %v, want that it is refused", n, err)
		}
	}
}
