package apply

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

// result waits for the result of t and returns it with the number of items.
func (t *ticket) result() (applier.Result, int) {
	n := 0
	for {
		for _, item := range t.take() {
			if item.Result != nil {
				return *item.Result, n
			}
			n++
		}
	}
}

// slow returns a queue whose requests take a second, and what it carried out.
func slow(t *testing.T) (q *queue, done *[]uint64) {
	done = new([]uint64)
	return &queue{apply: func(req applier.Request, tell func(applier.Item)) applier.Result {
		time.Sleep(time.Second)
		tell(applier.Item{File: &applier.File{}})
		*done = append(*done, req.Generation)
		return applier.Result{Generation: req.Generation}
	}}, done
}

func TestQueue(t *testing.T) {
	tests := []struct {
		name    string
		submit  []uint64 // the first alone, the others while it is under way
		done    []uint64
		results []uint64
	}{
		{"one", []uint64{1}, []uint64{1}, []uint64{1}},
		{"one waits", []uint64{1, 2}, []uint64{1, 2}, []uint64{1, 2}},
		{"many wait", []uint64{1, 2, 3, 4, 5}, []uint64{1, 5}, []uint64{1, 5, 5, 5, 5}},
		{"out of order", []uint64{1, 5, 4, 2, 3}, []uint64{1, 5}, []uint64{1, 5, 5, 5, 5}},
		{"overtaken by one under way", []uint64{5, 4}, []uint64{5}, []uint64{5, 5}},
		{"the same again", []uint64{5, 5}, []uint64{5, 5}, []uint64{5, 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, done := slow(t)
				var tickets []*ticket
				for _, g := range tt.submit {
					tickets = append(tickets, q.submit(applier.Request{Generation: g}))
					synctest.Wait()
				}
				var got []uint64
				for _, ticket := range tickets {
					res, _ := ticket.result()
					got = append(got, res.Generation)
				}
				q.wait()
				if diff := cmp.Diff([][]uint64{tt.done, tt.results}, [][]uint64{*done, got}); diff != "" {
					t.Errorf("submit of %v: carried out and results (-want +got):\n%s", tt.submit, diff)
				}
			})
		})
	}
}

// An older generation that comes much later is not one that was overtaken: the
// store has begun anew.
func TestQueueBeginsAnew(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		done  []uint64
	}{
		{"overtaken", overtaking, []uint64{5}},
		{"later", overtaking + 1, []uint64{5, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, done := slow(t)
				q.submit(applier.Request{Generation: 5}).result()
				time.Sleep(tt.after)
				res, _ := q.submit(applier.Request{Generation: 1}).result()
				q.wait()
				if diff := cmp.Diff(tt.done, *done); diff != "" || res.Generation != tt.done[len(tt.done)-1] {
					t.Errorf("generation 1, %s after 5: result of %d, carried out (-want +got):\n%s", tt.after, res.Generation, diff)
				}
			})
		})
	}
}

// Twenty callers at once cost few applies, and the newest generation is last.
func TestQueueManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, done := slow(t)
		results := make(chan applier.Result, 20)
		for g := range uint64(20) {
			go func() {
				time.Sleep(time.Duration(g) * 100 * time.Millisecond)
				res, _ := q.submit(applier.Request{Generation: g}).result()
				results <- res
			}()
		}
		for range 20 {
			<-results
		}
		q.wait()
		if n := len(*done); n > 4 || (*done)[n-1] != 19 {
			t.Errorf("twenty requests within two seconds: carried out %v, want at most four with 19 last", *done)
		}
	})
}

// One who does not read does not hold up the work.
func TestQueueSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := slow(t)
		ticket := q.submit(applier.Request{Generation: 1})
		q.wait()
		if res, items := ticket.result(); res.Generation != 1 || items != 1 {
			t.Errorf("result of generation %d after %d items, want 1 after 1", res.Generation, items)
		}
	})
}
