package updatetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// drip sends what the right server would, a byte at a time, as long as somebody takes it.
func drip(w http.ResponseWriter, r *http.Request, right http.Handler) {
	rec := answer(r, right)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, c := range rec.Body.Bytes() {
		if _, err := w.Write([]byte{c}); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// silent takes requests and never answers.
func silent(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// Who sends next to nothing, so that a node never hears of an update and never hears that
// it cannot, is given up. What he has sent by then leads to nothing.
func TestSlowRetrieval(t *testing.T) {
	for _, file := range []string{"timestamp.json", "targets.json", "manifest.json", "root.verity", "root.erofs"} {
		for name, wrong := range map[string]wrong{"drips": drip, "is silent": silent} {
			t.Run(file+" "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.serve(on(file, 0, wrong))
				began := time.Now()
				err := b.Updater(t.Context(), "apply", "--patience", "300ms")
				if err == nil || !strings.Contains(err.Error(), "the server is too slow") {
					t.Errorf("apply after %s: %v, want that the server is too slow", time.Since(began), err)
				}
				b.wantNext("1.0.0")
				b.serve(nil)
				b.finishes()
			})
		}
	}
}

// A slow mirror costs its patience, and then others are asked.
func TestSlowMirror(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	right := repo.Handler(b.Publisher.Dir)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { drip(w, r, right) }))
	t.Cleanup(mirror.Close)
	b.must(b.Configure(b.server.URL, fmt.Sprintf("mirrors = [%q]\n", mirror.URL+"/targets")))
	b.run("apply", "--patience", "2s")
	b.wantNext("1.1.0")
}

// What only makes an update cheaper is done without when it does not come.
func TestSlowList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.serve(on("uki.blocks", 0, silent))
	b.run("apply", "--patience", "2s")
	b.wantNext("1.1.0")
}

// All places are gone when half of the image has come. The next attempt fetches what is
// missing, and no more.
func TestGoneHalfWay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.release("1.2.0", Image(3, 600))
	const size, half = 600 * 4096, 300 * 4096
	right := repo.Handler(b.Publisher.Dir)
	var gone atomic.Bool
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		image := strings.HasSuffix(r.URL.Path, "1.2.0-root.erofs")
		if image && !gone.Swap(true) {
			cutOff(half)(w, r, right)
			return
		}
		if gone.Load() {
			panic(http.ErrAbortHandler) // the connection ends without an answer
		}
		right.ServeHTTP(w, r)
	})
	mirror := httptest.NewServer(h)
	t.Cleanup(mirror.Close)
	b.handler.Store(&h)
	b.must(b.Configure(b.server.URL, fmt.Sprintf("mirrors = [%q]\n", mirror.URL+"/targets")))
	b.wantFailure("given up after")
	if p := b.status().Progress; p.Done() == 0 {
		t.Errorf("progress %+v, want that what came is there", p)
	}
	var sent atomic.Int64
	b.must(b.Configure(b.server.URL, ""))
	b.serve(func(w http.ResponseWriter, r *http.Request, right http.Handler) {
		if strings.HasSuffix(r.URL.Path, "1.2.0-root.erofs") {
			sent.Add(int64(answer(r, right).Body.Len()))
		}
		right.ServeHTTP(w, r)
	})
	b.run("apply")
	b.wantNext("1.2.0")
	// What was on its way to the disk when the places went may have to come again.
	if got := sent.Load(); got == 0 || got > size-half/2 {
		t.Errorf("the second attempt has fetched %d of %d bytes of the image, want half of it", got, size)
	}
}
