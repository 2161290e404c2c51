package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// A busyUpdater is busy for the first so many times that it is asked.
type busyUpdater struct{ left atomic.Int64 }

func (*busyUpdater) Ask(context.Context, updater.Request, io.Reader) (updater.Answer, error) {
	return updater.Answer{}, nil
}

func (*busyUpdater) Status() (updater.Status, error) {
	return updater.Status{State: updater.Idle, Progress: &updater.Progress{Running: true}}, nil
}
func (*busyUpdater) History(int) ([]updater.Event, error) { return nil, nil }
func (u *busyUpdater) Busy() (bool, error)                { return u.left.Add(-1) >= 0, nil }
func (*busyUpdater) Watch(context.Context, func()) error  { return nil }

func TestPresentProgress(t *testing.T) {
	going, over := &updater.Progress{Action: updater.Apply, Running: true}, &updater.Progress{Action: updater.Apply}
	tests := []struct {
		name string
		p    *updater.Progress
		busy bool
		want *updater.Progress
	}{
		{"nothing", nil, false, nil},
		{"goes on", going, true, going},
		{"is over", over, false, over},
		{"was killed", going, false, over},
		{"begins", nil, true, &updater.Progress{Running: true}},
		{"begins after another one, or ends", over, true, &updater.Progress{Running: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			if p != nil {
				p = new(*p)
			}
			if diff := cmp.Diff(tt.want, present(p, tt.busy)); diff != "" {
				t.Errorf("present(%+v, %v) (-want +got):\n%s", tt.p, tt.busy, diff)
			}
		})
	}
}

// A turnstile refuses the first so many requests.
type turnstile struct {
	busyUpdater
	refuse, asked int
}

func (u *turnstile) Ask(context.Context, updater.Request, io.Reader) (updater.Answer, error) {
	u.asked++
	if u.asked <= u.refuse {
		return updater.Answer{Code: updater.Busy}, nil
	}
	return updater.Answer{Begun: true}, nil
}

// Who comes while the updater ends something is not sent away.
func TestBusyAction(t *testing.T) {
	tests := []struct {
		name        string
		refuse      int
		busy        int64
		status, ask int
	}{
		{"free", 0, 0, http.StatusNoContent, 1},
		{"free after the first", 1, 0, http.StatusNoContent, 2},
		{"never free", 9, 0, http.StatusLocked, 2},
		{"busy for long", 9, 1 << 60, http.StatusLocked, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			u := &turnstile{refuse: tt.refuse}
			u.left.Store(tt.busy)
			s.opt.Updater = u
			s.updates = s.newUpdates()
			s.patience.busy = 10 * time.Millisecond
			if w := as(s, Operator, "POST", "/actions/refresh-updates", ""); w.Code != tt.status || u.asked != tt.ask {
				t.Errorf("POST: %d %s after %d requests, want %d after %d", w.Code, w.Body, u.asked, tt.status, tt.ask)
			}
		})
	}
}

// Agents hear that the updater is busy only after a while, and not at all when that
// ends before. Who asks for the progress gets it at once.
func TestBusyStatus(t *testing.T) {
	tests := []struct {
		name, target string
		busy         int64
		patience     time.Duration
		status       int
	}{
		{"not busy", "/updates/status", 0, time.Hour, http.StatusOK},
		{"busy for a while", "/updates/status", 4, time.Hour, http.StatusOK},
		{"busy for long", "/updates/status", 1 << 60, 10 * time.Millisecond, http.StatusLocked},
		{"progress", "/updates/status?progress=1", 1 << 60, time.Hour, http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			u := &busyUpdater{}
			u.left.Store(tt.busy)
			s.opt.Updater = u
			s.updates = s.newUpdates()
			s.patience.busy = tt.patience
			w := as(s, Reader, "GET", tt.target, "")
			if tt.status == http.StatusOK && tt.busy > 0 && tt.busy < 1<<60 {
				// The caller of as has gone already: that ends the wait as well.
				if w.Code != http.StatusLocked {
					t.Errorf("GET by one who has gone: %d %s, want 423", w.Code, w.Body)
				}
				busy, err := s.updates.stillBusy(t.Context(), tt.patience)
				if busy || err != nil {
					t.Errorf("stillBusy = %v, %v, want false", busy, err)
				}
				return
			}
			if w.Code != tt.status {
				t.Errorf("GET %s: %d %s, want %d", tt.target, w.Code, w.Body, tt.status)
			}
			if retry := w.Header().Get("Retry-After"); (retry != "") != (tt.status == http.StatusLocked) {
				t.Errorf("GET %s: Retry-After %q with status %d", tt.target, retry, w.Code)
			}
		})
	}
}

// A reader asks for a bundle when its time for the whole request is over.
type lateReader struct {
	busyUpdater
	begun chan struct{}
	limit time.Duration
	got   string
}

func (u *lateReader) Ask(_ context.Context, r updater.Request, bundle io.Reader) (updater.Answer, error) {
	close(u.begun)
	<-time.After(3 * u.limit)
	data, err := io.ReadAll(io.LimitReader(bundle, r.BundleSize))
	u.got = string(data)
	return updater.Answer{Begun: err == nil}, err
}

// A bundle may take longer to come than other requests, as long as it comes.
func TestLongBundle(t *testing.T) {
	const limit = 50 * time.Millisecond
	s := newServer(t)
	u := &lateReader{begun: make(chan struct{}), limit: limit}
	s.opt.Updater = u
	s.opt.Access = Access{OwnUser: true}
	s.updates = s.newUpdates()
	s.patience.read, s.patience.write = limit, limit
	socket := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /updates/bundle HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nbun"); err != nil {
		t.Fatal(err)
	}
	<-u.begun
	<-time.After(2 * limit)
	if _, err := io.WriteString(conn, "dle"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent || u.got != "bundle" {
		t.Errorf("answer %s after %q, want 204 after the bundle", res.Status, u.got)
	}
}
