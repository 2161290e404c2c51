package updatetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

// A wrong server answers for the right one.
type wrong func(w http.ResponseWriter, r *http.Request, right http.Handler)

// serve has f serve the repository, or the right server when it is nil.
func (b *bench) serve(f wrong) {
	h := repo.Handler(b.Publisher.Dir)
	if f != nil {
		right := h
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, r, right) })
	}
	b.handler.Store(&h)
}

// on makes what is wrong happen to files whose names end so, and at most so many times;
// 0 stands for each time.
func on(suffix string, times int, f wrong) wrong {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request, right http.Handler) {
		mu.Lock()
		hit := strings.HasSuffix(r.URL.Path, suffix) && (times == 0 || n < times)
		if hit {
			n++
		}
		mu.Unlock()
		if hit {
			f(w, r, right)
			return
		}
		right.ServeHTTP(w, r)
	}
}

func status(code int) wrong {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(code) }
}

// answer returns what the right server says.
func answer(r *http.Request, right http.Handler) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	right.ServeHTTP(rec, r)
	return rec
}

func altered(f func(h http.Header, body []byte) []byte) wrong {
	return func(w http.ResponseWriter, r *http.Request, right http.Handler) {
		rec := answer(r, right)
		body := f(rec.Header(), bytes.Clone(rec.Body.Bytes()))
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body) // the other side may have gone
	}
}

// cutOff ends the connection after so many bytes.
func cutOff(n int) wrong {
	return altered(func(_ http.Header, body []byte) []byte { return body[:min(n, len(body))] })
}

// packed is what a proxy makes of an answer that means well.
func packed(h http.Header, body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", fmt.Sprint(b.Len()))
	return b.Bytes()
}

func withoutRanges(w http.ResponseWriter, r *http.Request, right http.Handler) {
	r.Header.Del("Range")
	right.ServeHTTP(w, r)
}

// What a server does wrong now and then, or a mirror that has something else, does not
// keep an update from coming.
func TestPassingFaults(t *testing.T) {
	tests := []struct {
		name  string
		wrong wrong
	}{
		{"server errors", on("", 4, status(http.StatusServiceUnavailable))},
		{"too many requests", on("root.erofs", 2, status(http.StatusTooManyRequests))},
		{"no ranges", withoutRanges},
		{"cut off", on("root.erofs", 3, cutOff(300_000))},
		{"cut off, no ranges", on("root.erofs", 3, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			r.Header.Del("Range")
			cutAt1M(w, r, right)
		})},
		{"a block is wrong once", on("root.erofs", 1, altered(func(_ http.Header, b []byte) []byte { b[5000]++; return b }))},
		{"a tree is wrong once", on("root.verity", 1, altered(func(_ http.Header, b []byte) []byte { b[5000]++; return b }))},
		{"a boot program is wrong once", on("uki.efi", 1, altered(func(_ http.Header, b []byte) []byte { b[500]++; return b }))},
		{"a manifest is wrong once", on("manifest.json", 1, altered(func(_ http.Header, b []byte) []byte { b[5]++; return b }))},
		{"parts that are others", on("root.erofs", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			if r.Header.Get("Range") != "" {
				altered(func(h http.Header, b []byte) []byte { h.Set("Content-Range", "bytes 7-9/1000"); return b })(w, r, right)
				return
			}
			right.ServeHTTP(w, r)
		})},
		{"parts of another file", on("root.erofs", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			if r.Header.Get("Range") != "" {
				altered(func(_ http.Header, b []byte) []byte { clear(b); return b })(w, r, right)
				return
			}
			right.ServeHTTP(w, r)
		})},
		{"more than was asked for", on("root.erofs", 0, altered(func(h http.Header, b []byte) []byte {
			h.Del("Content-Length")
			return append(b, make([]byte, 100_000)...)
		}))},
		{"of unknown length", altered(func(h http.Header, b []byte) []byte { h.Del("Content-Length"); return b })},
		{"no next root, as an object store says it", on(".root.json", 0, status(http.StatusForbidden))},
		{"endless", on("manifest.json", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			rec := answer(r, right)
			_, _ = w.Write(rec.Body.Bytes())
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.serve(tt.wrong)
			if tt.name == "parts of another file" {
				// It goes on for ever: the node gives up, boots what it has, and has all once
				// the server is right.
				b.wantFailure("it is not what was signed")
				b.serve(nil)
			}
			b.run("apply")
			b.wantState(updater.Ready, "1.1.0")
			b.wantNext("1.1.0")
		})
	}
}

var cutAt1M = cutOff(1 << 20)

// wantFailure fails unless an update is refused with a text that has want in it, and the
// node boots what it ran.
func (b *bench) wantFailure(want string) {
	b.Helper()
	err := b.Updater(b.Context(), "apply")
	if err == nil || !strings.Contains(err.Error(), want) {
		b.Fatalf("updater apply: %v, want %q in it", err, want)
	}
	b.wantNext("1.0.0")
	if s := b.status(); s.LastCommand == nil || s.LastCommand.Status != "Failed" || s.LastCommand.Stderr == nil || !strings.Contains(*s.LastCommand.Stderr, want) {
		b.Errorf("last command %+v, want that it failed with %q", s.LastCommand, want)
	}
}

// Faults that stay end the update; the node boots what it has, and the update comes once
// they are gone.
func TestLastingFaults(t *testing.T) {
	tests := []struct {
		name, want string
		wrong      wrong
	}{
		{"no such image", "404 Not Found", on("root.erofs", 0, status(http.StatusNotFound))},
		{"image is forbidden", "403 Forbidden", on("root.erofs", 0, status(http.StatusForbidden))},
		{"no timestamp", "404 Not Found", on("timestamp.json", 0, status(http.StatusNotFound))},
		{"no snapshot", "404 Not Found", on("snapshot.json", 0, status(http.StatusNotFound))},
		{"no tree", "404 Not Found", on("root.verity", 0, status(http.StatusNotFound))},
		{"image is shorter", "it is another file", on("root.erofs", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			r.Header.Del("Range")
			altered(func(h http.Header, b []byte) []byte {
				b = b[:len(b)-4096]
				h.Set("Content-Length", fmt.Sprint(len(b)))
				return b
			})(w, r, right)
		})},
		{"tree is another one", "was signed", on("root.verity", 0, altered(func(_ http.Header, b []byte) []byte { clear(b); return b }))},
		{"a page to log in at", "it is no metadata", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte("<html><title>Welcome to our network</title></html>")) // the other side may have gone
		}},
		{"packed on the way", "it is another file", on("root.erofs", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			r.Header.Del("Range")
			altered(packed)(w, r, right)
		})},
		{"a part that nobody asked for", "206 Partial Content", on("manifest.json", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
			r.Header.Set("Range", "bytes=0-99")
			right.ServeHTTP(w, r)
		})},
		{"ranges are never right", "416 Requested Range Not Satisfiable", on("root.erofs", 0, status(http.StatusRequestedRangeNotSatisfiable))},
		{"sent in circles", "sends us on and on", on("targets.json", 0, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		})},
		{"endless timestamp", "longer than it may be", on("timestamp.json", 0, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.serve(tt.wrong)
			b.wantFailure(tt.want)
			b.serve(nil)
			b.run("apply")
			b.wantNext("1.1.0")
		})
	}
}

// Wherever the updater is killed, the node boots a complete version, and the next
// attempt finishes the update.
func TestKilled(t *testing.T) {
	b := newBench(t)
	kills := 0
	for delay := 5 * time.Millisecond; ; delay += 13 * time.Millisecond {
		cmd := b.Command(b.Context(), "apply")
		b.must(cmd.Start())
		timer := time.AfterFunc(delay, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		kills++
		slots, err := b.Slots(b.Context())
		b.must(err)
		for _, s := range slots {
			if s.Next {
				b.must(b.Complete(b.releases[s.Version]))
			}
		}
	}
	if kills == 0 {
		t.Error("the updater was never killed before its end")
	}
	b.wantNext("1.1.0")
}

// A server that cuts each answer off at another place is gone on with.
func TestCutAtManyPoints(t *testing.T) {
	b := newBench(t)
	for n := 1; n < 40; n++ {
		b.serve(on("", 0, cutOff(n*n*1500)))
		ctx, cancel := context.WithTimeout(b.Context(), 300*time.Millisecond)
		_ = b.Updater(ctx, "prepare", "--version", "1.1.0") // it may come through, or not
		cancel()
		b.wantNext("1.0.0")
	}
	b.serve(nil)
	b.run("apply")
	b.wantNext("1.1.0")
}

// A clock that is wrong by ten years does not lead to another version, and no longer
// matters once it is right.
func TestClock(t *testing.T) {
	b := newBench(t)
	b.run("refresh")
	for _, years := range []int{10, -10} {
		t.Run(fmt.Sprint(years), func(t *testing.T) {
			cmd := b.Command(t.Context(), "refresh", "--clock", time.Now().AddDate(years, 0, 0).Format(time.RFC3339))
			out, err := cmd.CombinedOutput()
			if years > 0 && (err == nil || !strings.Contains(string(out), "it has expired") || !strings.Contains(string(out), "the clock says")) {
				t.Errorf("refresh with a clock that is ahead: %v, %s, want that all has expired", err, out)
			}
			if years < 0 && err != nil {
				t.Errorf("refresh with a clock that is behind: %v, %s, want none: it is known to be later", err, out)
			}
			b.run("refresh")
		})
	}
	b.run("apply")
	b.wantNext("1.1.0")
}

func TestBundle(t *testing.T) {
	b := newBench(t)
	file := b.bundle("1.1.0", "")
	b.server.Close()
	b.run("apply", "--bundle", file)
	b.wantState(updater.Ready, "1.1.0")
	b.wantNext("1.1.0")
	left, err := os.ReadDir(b.path("data/spool"))
	if err != nil || len(left) > 0 {
		t.Errorf("after all %d files are left in the spool, %v, want none", len(left), err)
	}
	if _, err := os.Stat(b.path("data/bundle.tar")); err == nil {
		t.Error("after all the bundle is still there")
	}
}

// Mirrors come first; what they do not have, or have wrong, comes from elsewhere. A
// proxy is asked for what is not to be asked for directly.
func TestMirrors(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	asked := map[string]int{}
	count := func(name string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked[name]++
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
	right := repo.Handler(b.Publisher.Dir)
	empty := httptest.NewServer(count("empty", http.NotFoundHandler()))
	t.Cleanup(empty.Close)
	spoiled := httptest.NewServer(count("spoiled", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		altered(func(_ http.Header, d []byte) []byte { d[len(d)/2]++; return d })(w, r, right)
	})))
	t.Cleanup(spoiled.Close)
	proxy := httptest.NewServer(count("proxy", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "updates.example.org" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		right.ServeHTTP(w, r)
	})))
	t.Cleanup(proxy.Close)
	b.must(b.Configure("http://updates.example.org", fmt.Sprintf("mirrors = [%q, %q]\n[proxy]\nhttps = %q\ndirect = [\"127.0.0.1\"]\n", empty.URL, spoiled.URL+"/targets", proxy.URL)))
	b.run("apply")
	b.wantNext("1.1.0")
	for _, name := range []string{"empty", "spoiled", "proxy"} {
		if asked[name] == 0 {
			t.Errorf("%s was never asked, want that it is", name)
		}
	}
}
