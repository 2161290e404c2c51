package updatetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// service starts the updater as a service, and returns a client of it.
func (b *bench) service() *updater.Client {
	b.Helper()
	// The context of the test ends before it is cleaned up.
	b.daemon(b.Command(context.WithoutCancel(b.Context()), "serve", "--idle", "10m"), b.path("run/updater.sock"))
	return updater.New(b.Places())
}

// until waits for a state.
func (b *bench) until(what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			b.Fatalf("after a minute it is not so that %s", what)
		}
		tick := time.NewTimer(5 * time.Millisecond)
		<-tick.C
	}
}

func (b *bench) ask(c *updater.Client, r updater.Request) updater.Answer {
	b.Helper()
	a, err := c.Ask(b.Context(), r, nil)
	b.must(err)
	return a
}

func (b *bench) idle(c *updater.Client) updater.Status {
	b.Helper()
	b.until("nothing goes on", func() bool { busy, err := c.Busy(); return err == nil && !busy })
	return b.status()
}

// What may be done in which state, and how it is refused.
func TestService(t *testing.T) {
	b := newBench(t)
	c := b.service()
	refused := func(a updater.Action, code updater.Code) {
		t.Helper()
		if got := b.ask(c, updater.Request{Action: a}); got.Begun || got.Code != code || got.Detail == "" {
			t.Errorf("%s: %+v, want %s", a, got, code)
		}
	}
	done := func(r updater.Request, want updater.State) updater.Status {
		t.Helper()
		if got := b.ask(c, r); !got.Begun {
			t.Fatalf("%s: %+v, want that it begins", r.Action, got)
		}
		s := b.idle(c)
		if s.State != want || s.LastCommand == nil || s.LastCommand.Type != r.Action || s.LastCommand.Status != "Success" {
			t.Fatalf("after %s: state %s, %+v, want %s", r.Action, s.State, s.LastCommand, want)
		}
		return s
	}
	refused(updater.Prepare, updater.NotAllowed)
	refused(updater.Activate, updater.NotAllowed)
	refused(updater.Deactivate, updater.NotAllowed)
	refused(updater.Cancel, updater.NotAllowed)
	refused("explode", updater.Invalid)
	done(updater.Request{Action: updater.Refresh, Actor: "me"}, updater.Available)
	refused(updater.Activate, updater.NotAllowed)
	done(updater.Request{Action: updater.Prepare}, updater.Staged)
	done(updater.Request{Action: updater.Refresh}, updater.Staged)
	done(updater.Request{Action: updater.Prepare}, updater.Staged)
	refused(updater.Deactivate, updater.NotAllowed)
	done(updater.Request{Action: updater.Activate}, updater.Ready)
	refused(updater.Prepare, updater.NotAllowed)
	refused(updater.Activate, updater.NotAllowed)
	done(updater.Request{Action: updater.Refresh}, updater.Ready)
	done(updater.Request{Action: updater.Deactivate}, updater.Staged)
	events, err := c.History(0)
	b.must(err)
	if last := events[len(events)-1]; last.Actor != "me" || last.Kind != "refresh" {
		t.Errorf("first event %+v, want the refresh by me", last)
	}
}

// While something goes on nothing else begins; and it can be cancelled, and gone on with.
func TestBusyAndCancel(t *testing.T) {
	b := newBench(t)
	c := b.service()
	var once sync.Once
	reached, cancelled := make(chan struct{}), make(chan struct{})
	b.serve(on("root.erofs", 0, func(w http.ResponseWriter, r *http.Request, right http.Handler) {
		once.Do(func() { close(reached) })
		select {
		case <-cancelled:
		case <-r.Context().Done():
		}
		right.ServeHTTP(w, r)
	}))
	if a := b.ask(c, updater.Request{Action: updater.Apply}); !a.Begun {
		t.Fatalf("apply: %+v, want that it begins", a)
	}
	<-reached
	for _, action := range []updater.Action{updater.Refresh, updater.Prepare, updater.Rollback} {
		if a := b.ask(c, updater.Request{Action: action}); a.Code != updater.Busy {
			t.Errorf("%s meanwhile: %+v, want that the updater is busy", action, a)
		}
	}
	// A bundle is not waited for in order to say so.
	conn, err := net.Dial("unix", b.path("run/updater.sock"))
	b.must(err)
	defer conn.Close()
	b.must(json.NewEncoder(conn).Encode(updater.Request{Action: updater.Apply, BundleSize: 1 << 30}))
	var a updater.Answer
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	b.must(errors.Join(err, json.Unmarshal(line, &a)))
	if a.Code != updater.Busy {
		t.Errorf("apply of a bundle meanwhile: %+v, want that the updater is busy", a)
	}
	if err := b.Updater(t.Context(), "refresh"); err == nil || !strings.Contains(err.Error(), "another action goes on") {
		t.Errorf("refresh by another process: %v, want that the updater is busy", err)
	}
	if p := b.status().Progress; p == nil || !p.Running || p.Action != updater.Apply {
		t.Errorf("progress %+v, want that the apply runs", p)
	}
	b.run("cancel")
	s := b.idle(c)
	close(cancelled)
	if s.LastCommand == nil || s.LastCommand.Status != "Failed" || !strings.Contains(*s.LastCommand.Stderr, "it was cancelled") {
		t.Errorf("after cancel: %+v, want that it says so", s.LastCommand)
	}
	b.wantNext("1.0.0")
	if a := b.ask(c, updater.Request{Action: updater.Apply}); !a.Begun {
		t.Fatalf("apply again: %+v, want that it begins", a)
	}
	b.idle(c)
	b.wantNext("1.1.0")
}

// A bundle comes over the socket. One that ends too early begins nothing.
func TestBundleOverSocket(t *testing.T) {
	b := newBench(t)
	file := b.bundle("1.1.0", "")
	b.server.Close()
	c := b.service()
	data, err := os.ReadFile(file)
	b.must(err)

	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: b.path("run/updater.sock"), Net: "unix"})
	b.must(err)
	b.must(json.NewEncoder(conn).Encode(updater.Request{Action: updater.Apply, BundleSize: int64(len(data))}))
	_, err = conn.Write(data[:len(data)/2])
	b.must(errors.Join(err, conn.CloseWrite()))
	var a updater.Answer
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	b.must(errors.Join(err, json.Unmarshal(line, &a), conn.Close()))
	if a.Begun || !strings.Contains(a.Detail, "take the bundle") {
		t.Errorf("half a bundle: %+v, want that nothing begins", a)
	}

	f, err := os.Open(file)
	b.must(err)
	defer f.Close()
	a, err = c.Ask(t.Context(), updater.Request{Action: updater.Prepare, BundleSize: int64(len(data))}, f)
	b.must(err)
	if !a.Begun {
		t.Fatalf("prepare with a bundle: %+v, want that it begins", a)
	}
	b.idle(c)
	b.wantState(updater.Staged, "1.1.0")
	b.ask(c, updater.Request{Action: updater.Activate})
	b.idle(c)
	b.wantNext("1.1.0")
}

// A service that is told to end in the middle says so, and the update is gone on with.
func TestServiceEnds(t *testing.T) {
	b := newBench(t)
	reached := make(chan struct{})
	var once sync.Once
	b.serve(on("root.erofs", 0, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		once.Do(func() { close(reached) })
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := b.Command(ctx, "serve")
	b.must(cmd.Start())
	c := updater.New(b.Places())
	b.until("the service answers", func() bool {
		a, err := c.Ask(t.Context(), updater.Request{Action: updater.Apply}, nil)
		return err == nil && a.Begun
	})
	<-reached
	b.must(cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v, want well", err)
	}
	s := b.status()
	if s.LastCommand == nil || s.LastCommand.Stderr == nil || !strings.Contains(*s.LastCommand.Stderr, "the updater was stopped") {
		t.Errorf("last command %+v, want that it says that the updater was stopped", s.LastCommand)
	}
	b.serve(nil)
	b.run("apply")
	b.wantNext("1.1.0")
}

// The version of a boot that failed is not chosen again unless it is named.
func TestFailedVersion(t *testing.T) {
	b := newBench(t)
	b.run("apply")
	b.must(b.Boot(b.releases["1.1.0"]))
	_, err := b.bootSlot(t.Context(), "begin")
	b.must(err)
	// What is on trial does not overwrite what it would fall back to.
	for _, words := range [][]string{{"apply"}, {"prepare", "--version", "1.0.0"}} {
		if err := b.Updater(t.Context(), words...); err == nil || !strings.Contains(err.Error(), "has not been healthy yet") {
			t.Errorf("%s on trial: %v, want that it is refused", words, err)
		}
	}
	b.must(b.Complete(b.releases["1.0.0"]))
	_, err = b.bootSlot(t.Context(), "mark-bad", "--reason", "the kubelet did not start")
	b.must(err)
	b.must(b.Boot(b.releases["1.0.0"]))
	b.must(b.Bless(t.Context()))
	b.run("wake")
	b.run("apply")
	s := b.wantState(updater.Idle, "")
	const why = "the kubelet did not start"
	if diff := cmp.Diff(map[string]string{"1.1.0": why}, s.Failed); diff != "" || !strings.Contains(s.Waiting, why) {
		t.Errorf("waiting %q, failed (-want +got):\n%s", s.Waiting, diff)
	}
	b.wantNext("1.0.0")
	events, err := updater.New(b.Places()).History(0)
	b.must(err)
	if len(events) < 2 || events[1].Kind != "failed" || events[1].Detail != why || events[1].Version != "1.1.0" {
		t.Errorf("history %+v, want that it says why", events)
	}
	// The settings named it before it failed.
	b.must(b.Configure(b.server.URL, "version-lock = \"1.1.0\"\n"))
	b.run("apply")
	if s = b.wantState(updater.Idle, ""); !strings.Contains(s.Waiting, why) {
		t.Errorf("waiting %q with a version-lock, want why", s.Waiting)
	}
	b.run("apply", "--version", "1.1.0")
	b.wantNext("1.1.0")
}

// A request waits for another process that is soon done, as the one after a boot.
func TestWaitsForTheLock(t *testing.T) {
	b := newBench(t)
	c := b.service()
	release, err := updater.TakeLock(b.path("run/lock"))
	b.must(err)
	time.AfterFunc(300*time.Millisecond, func() { _ = release() }) // nearly always after the request has come
	if a := b.ask(c, updater.Request{Action: updater.Refresh}); !a.Begun {
		t.Errorf("refresh: %+v, want that it begins once the other process is done", a)
	}
	b.idle(c)
}
