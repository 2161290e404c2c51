package server_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

func TestBundle(t *testing.T) {
	u := &fakeUpdater{answer: updater.Answer{Begun: true}}
	n := startUpdating(t, u)
	text := strings.Repeat("bundle ", 100_000)
	want := fmt.Sprintf("%d %x", len(text), sha256.Sum256([]byte(text)))
	if a := n.do(request{line: "POST /updates/bundle?action=prepare&version=1.2.3", kind: "application/x-tar", body: text}); a.status != http.StatusNoContent {
		t.Errorf("POST: %d %s, want 204", a.status, a.body)
	}
	if a := n.do(request{line: "POST /updates/bundle?reboot=1", body: text}); a.status != http.StatusNoContent {
		t.Errorf("POST: %d %s, want 204", a.status, a.body)
	}
	if diff := cmp.Diff([]string{want, want}, u.bundles); diff != "" {
		t.Errorf("bundles (-want +got):\n%s", diff)
	}
	for _, r := range u.asked {
		if r.BundleSize != int64(len(text)) {
			t.Errorf("asked %+v, want the size", r)
		}
	}
	if a, b := u.asked[0], u.asked[1]; a.Action != updater.Prepare || a.Version != "1.2.3" || b.Action != updater.Apply || !b.Reboot {
		t.Errorf("asked %+v", u.asked)
	}
	tests := []struct {
		name   string
		r      request
		status int
	}{
		{"empty", request{line: "POST /updates/bundle"}, 400},
		{"settings", request{line: "POST /updates/bundle", kind: "json", body: "{}"}, 400},
	}
	for _, tt := range tests {
		if a := n.do(tt.r); a.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, a.status, a.body, tt.status)
		}
	}
	u.mu.Lock()
	u.refuse, u.answer = true, updater.Answer{Code: updater.NotAllowed}
	u.mu.Unlock()
	if a := n.do(request{line: "POST /updates/bundle", body: text}); a.status != http.StatusConflict {
		t.Errorf("POST that is refused before it is read: %d %s, want 409", a.status, a.body)
	}
	u.mu.Lock()
	u.busy, u.asked = true, nil
	u.mu.Unlock()
	if a := n.do(request{line: "POST /updates/bundle", body: text}); a.status != http.StatusLocked || len(u.asked) > 0 {
		t.Errorf("POST while busy: %d %s, asked %v, want 423 and nothing", a.status, a.body, u.asked)
	}
}

// Requests that no ordinary client makes.
func TestOddBundles(t *testing.T) {
	tests := []struct {
		name, sent string
		want       string
	}{
		{"no length", "POST /updates/bundle HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "411"},
		{"too long", "POST /updates/bundle HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nx", "413"},
		{"breaks off", "POST /updates/bundle HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx", "400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := &fakeUpdater{answer: updater.Answer{Begun: true}}
			n := startUpdating(t, u)
			conn, err := n.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if !strings.HasPrefix(res.Status, tt.want) || len(u.bundles) > 0 {
				t.Errorf("answer %s, bundles %v, want %s and none", res.Status, u.bundles, tt.want)
			}
		})
	}
}

// While one bundle is received there is no room for another.
func TestOneBundleAtATime(t *testing.T) {
	block, asking := make(chan struct{}), make(chan struct{}, 2)
	u := &fakeUpdater{answer: updater.Answer{Begun: true}, block: block, asking: asking}
	n := startUpdating(t, u)
	first := make(chan answer, 1)
	go func() {
		a, err := n.try(request{line: "POST /updates/bundle", body: "first"})
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	<-asking
	if a := n.do(request{line: "POST /updates/bundle", body: "second"}); a.status != http.StatusLocked {
		t.Errorf("second bundle: %d %s, want 423", a.status, a.body)
	}
	close(block)
	if a := <-first; a.status != http.StatusNoContent {
		t.Errorf("first bundle: %d %s, want 204", a.status, a.body)
	}
}
