package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("hello\n"))
	}))
	defer server.Close()
	for _, tt := range []struct {
		name      string
		words     []string
		out, fail string
	}{
		{"there", []string{"get", server.URL + "/"}, "hello\n", ""},
		{"not there", []string{"get", server.URL + "/x"}, "", server.URL + "/x: 404 Not Found"},
		{"misused", []string{"put"}, "", `"put": want no words, or get and a URL`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), tt.words, &out)
			if out.String() != tt.out || err == nil && tt.fail != "" || err != nil && err.Error() != tt.fail {
				t.Errorf("run(%q) prints %q, %v, want %q, %s", tt.words, &out, err, tt.out, tt.fail)
			}
		})
	}
}
