package probe_test

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/probe"
)

func TestHealthy(t *testing.T) {
	tests := []struct {
		name, answer string
		want         bool
	}{
		{"ok", `{"status": "ok", "faults": []}`, true},
		{"starting", `{"status": "starting"}`, false},
		{"degraded", `{"status": "degraded"}`, false},
		{"no answer of ours", "busy", false},
	}
	socket := filepath.Join(t.TempDir(), "api.sock")
	healthy := probe.Healthy(socket)
	if healthy(t.Context()) {
		t.Error("healthy without an API")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			t.Errorf("the probe asks for %s, want /health", r.URL.Path)
		}
		if _, err := w.Write([]byte(<-answers)); err != nil {
			t.Errorf("answer: %v", err)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers <- tt.answer
			healthy := probe.Healthy(socket) // the other one leaves the API alone for a while
			if got := healthy(t.Context()); got != tt.want {
				t.Errorf("healthy with the answer %s: %t, want %t", tt.answer, got, tt.want)
			}
		})
	}
}
