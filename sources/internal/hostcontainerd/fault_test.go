package hostcontainerd_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/ociimage"
)

// failsWith checks that the image called ref cannot be had, and why.
func (l *lab) failsWith(ref, words string) {
	l.t.Helper()
	if got, err := l.pull(ref); err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), ref) {
		l.t.Errorf("Image(%s): %s, error %v, want one with the name and %q", ref, got, err, words)
	}
}

// A registry that takes requests and does nothing about them is not waited for,
// neither before its answer nor in the middle of it.
func TestSlowRegistry(t *testing.T) {
	l := newLab(t)
	l.Close()
	l.opt.Silence = 200 * time.Millisecond
	l.connect()
	f := newFaulty(t)
	image := l.image("N=7")
	ref := f.push(t, image, "team/slow:v1")
	hang := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	f.set(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() })
	l.failsWith(ref, "the registry is too slow: ")
	f.set(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		altered(w, r, serve, func(data []byte) []byte {
			_, _ = w.Write(data[:1]) // the client may have gone
			hang(w, r)
			return nil
		})
	})
	l.failsWith(ref, "the registry is too slow: ")
	f.fault.Store(nil)
	if got, err := l.pull(ref); err != nil || got != digestOf(t, image) {
		t.Errorf("Image(%s) of a registry that is well again: %s, %v, want %s", ref, got, err, digestOf(t, image))
	}
}

// A registry that is asked too often says when it is to be asked again, and is
// not asked before.
func TestRetryAfter(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	image := l.image("N=8")
	ref := f.push(t, image, "team/busy:v1")
	var mu sync.Mutex
	var told, early time.Time
	f.set(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case told.IsZero():
			told = time.Now()
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case time.Since(told) < 2*time.Second && early.IsZero():
			early = time.Now()
		}
		serve.ServeHTTP(w, r)
	})
	if got, err := l.pull(ref); err != nil || got != digestOf(t, image) {
		t.Errorf("Image(%s): %s, %v, want %s", ref, got, err, digestOf(t, image))
	}
	if !early.IsZero() {
		t.Errorf("the registry was asked again after %s, want 2s", early.Sub(told))
	}
	// One that wants to be left alone for hours is not waited for.
	f.set(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", time.Now().Add(3*time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	asked := f.asked.Load()
	l.failsWith(f.host()+"/team/busy:v2", "the registry has too many requests")
	if n := f.asked.Load() - asked; n != 1 {
		t.Errorf("a registry that wants no requests got %d, want 1", n)
	}
}

// What is wrong with the way to a registry is said in plain words.
func TestUnreachableRegistry(t *testing.T) {
	l := newLab(t)
	down := newFaulty(t)
	downHost := down.host()
	down.Close()
	l.failsWith(downHost+"/team/test:v1", "the registry cannot be reached: ")
	l.failsWith("registry.invalid/team/test:v1", "the name of the registry is not known: ")

	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	l.write("etc/containerd/certs.d/tls.invalid/hosts.toml", "server = \""+stranger.URL+"\"\n")
	l.failsWith("tls.invalid/team/test:v1", "nobody that is trusted vouches for the registry; its authority belongs into settings.pki: ")
}

// rubbish returns an image whose last layer is what it promises to be, and no archive.
func rubbish(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	bad, err := mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(bytes.Repeat([]byte("rubbish"), 1000), types.OCIUncompressedLayer)})
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

// A layer that cannot be unpacked leaves nothing, and is not fetched again and
// again.
func TestCorruptLayer(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	ref := f.push(t, rubbish(t, l.image("N=9")), "team/rubbish:v1")
	asked := f.asked.Load()
	l.failsWith(ref, "a layer of the image cannot be unpacked: ")
	if n := f.asked.Load() - asked; n > 10 {
		t.Errorf("an image that cannot be unpacked led to %d requests, want those of one try", n)
	}
	good := l.image("N=9")
	f.push(t, good, "team/rubbish:v1")
	if got, err := l.pull(ref); err != nil || got != digestOf(t, good) {
		t.Errorf("Image(%s) of a registry with the right image: %s, %v, want %s", ref, got, err, digestOf(t, good))
	}
}

// An image that does not fit says so, takes no room afterwards, and is there once
// there is room.
func TestNoRoom(t *testing.T) {
	var data string
	l := newLabOn(t, func(dir string) {
		data = dir
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
			t.Skipf("mount a small file system: %v", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	})
	files := ociimage.Files{"/large": {Mode: 0o644, Data: make([]byte, 40<<20)}} // next to nothing, compressed
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/large"}}, files)
	if err != nil {
		t.Fatal(err)
	}
	f := newFaulty(t)
	ref := f.push(t, image, "team/large:v1")
	l.failsWith(ref, "there is no room left for the image: ")
	used := func() int64 {
		var s unix.Statfs_t
		if err := unix.Statfs(data, &s); err != nil {
			t.Fatal(err)
		}
		return int64(s.Blocks-s.Bfree) * s.Bsize
	}
	l.await("room after an image that did not fit", func() bool { return used() < 8<<20 })
	if err := unix.Mount("", data, "", unix.MS_REMOUNT, "size=128m"); err != nil {
		t.Fatal(err)
	}
	if got, err := l.pull(ref); err != nil || got != digestOf(t, image) {
		t.Errorf("Image(%s) once there is room: %s, %v, want %s", ref, got, err, digestOf(t, image))
	}
}

// await waits until done.
func (l *lab) await(what string, done func() bool) {
	l.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("there is no %s after %s", what, limit)
		}
	}
}

// A runtime that crashes leaves an error and nothing in the way of the next start.
func TestRuntimeCrashes(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	for _, step := range []string{"create", "start"} {
		t.Run(step, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "runc")
			text := "#!/bin/sh\ncase \" $* \" in *' " + step + " '*) kill -SEGV $$;; esac\nexec runc \"$@\"\n"
			if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			l.Close()
			l.opt.Runc = script
			l.connect()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := l.Start(ctx, l.definition(embedded, "wait"))
			if err == nil || !strings.Contains(err.Error(), "container one: ") || !strings.Contains(err.Error(), "did not terminate successfully: exit status 139") {
				t.Errorf("Start with a runtime that crashes: %v, want an error with the container and how the runtime ended", err)
			}
			l.Close()
			l.opt.Runc = ""
			l.connect()
			l.start(l.definition(embedded, "exit", "4"))
			if code := l.wait("one"); code != 4 {
				t.Errorf("exit status of the container after a crash of the runtime: %d, want 4", code)
			}
			if err := l.Remove(t.Context(), "one"); err != nil {
				t.Error(err)
			}
		})
	}
}

// The shim of a container is killed. The container ends with it, and can be
// started again.
func TestKilledShim(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	d := l.definition(embedded, "wait")
	l.start(d)
	l.journal.expect(t, "one: ready")
	for _, pid := range l.shims() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	l.await("end of the container whose shim was killed", func() bool { return !l.hasProcesses("one") })
	if err := l.Remove(t.Context(), "one"); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	l.start(l.definition(embedded, "exit", "6"))
	if code := l.wait("one"); code != 6 {
		t.Errorf("exit status of the container after its shim was killed: %d, want 6", code)
	}
}

// hasProcesses reports whether the container called id has processes.
func (l *lab) hasProcesses(id string) bool {
	groups, _ := filepath.Glob("/sys/fs/cgroup/*" + l.opt.Cgroup + "/container-" + id + "/cgroup.procs")
	for _, file := range append(groups, "/sys/fs/cgroup"+l.opt.Cgroup+"/container-"+id+"/cgroup.procs") {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			return true
		}
	}
	return false
}

// shims returns the shims of the lab's containers.
func (l *lab) shims() []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("containerd-shim-runc-v2")) || !bytes.Contains(text, []byte(l.daemon.Socket)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
