package bench

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestWire(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789", 20_000)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "short") })
	mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, long) })
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("PATCH /echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Type", r.Header.Get("Content-Type"))
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("POST /refused", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "nothing is pending", http.StatusUnprocessableEntity)
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	defer server.Close()

	w, err := dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tests := []struct {
		name   string
		req    []byte
		size   int64
		status int // of a failure
	}{
		{name: "with a length", req: request("GET", "/short", "", nil), size: 5},
		{name: "in chunks", req: request("GET", "/long", "", nil), size: int64(len(long))},
		{name: "without a body", req: request("GET", "/empty", "", nil)},
		{name: "with a body of ours", req: request("PATCH", "/echo", "application/json", []byte(`{"a":1}`)), size: 7},
		{name: "refused", req: request("POST", "/refused", "", nil), status: http.StatusUnprocessableEntity},
		{name: "after a refusal", req: request("GET", "/short", "", nil), size: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size, err := w.do(tt.req)
			refusal, refused := errors.AsType[statusError](err)
			if size != tt.size || refusal.status != tt.status || err != nil && !refused {
				t.Errorf("do(%.40q) = %d, %v, want size %d and status %d", tt.req, size, err, tt.size, tt.status)
			}
			if refused && refusal.body != "nothing is pending\n" {
				t.Errorf("do(%.40q): body of the refusal %q, want the server's", tt.req, refusal.body)
			}
		})
	}
}
