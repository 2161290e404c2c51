package registry_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/registry"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func root(t *testing.T) workspace.Root {
	t.Helper()
	r, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if bin := registry.Missing(r); bin != "" {
		t.Skipf("%s is not built; shipyard registry builds it", bin)
	}
	return r
}

func TestStart(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("a:$2y$05$invalid\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		opt    registry.Options
		status int
	}{
		{"memory", registry.Options{}, http.StatusOK},
		{"directory", registry.Options{Dir: filepath.Join(t.TempDir(), "new", "images")}, http.StatusOK},
		{"with users", registry.Options{HTPasswd: users}, http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := registry.Start(t.Context(), root(t), tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Get("http://" + r.Addr + "/v2/")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tt.status {
				t.Errorf("GET /v2/ of %+v: %s, want status %d", tt.opt, res.Status, tt.status)
			}
			if err := r.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
	}
}

// Nobody else may put images into it.
func TestStartElsewhere(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:5000", ":5000", "[::]:5000", "10.0.0.1:0", "example.org:1"} {
		_, err := registry.Start(t.Context(), root(t), registry.Options{Listen: listen})
		if err == nil || !strings.Contains(err.Error(), "reached from elsewhere") {
			t.Errorf("Start at %s: error %v, want that it is reached from elsewhere", listen, err)
		}
	}
}

// Why a registry did not start is in the error.
func TestStartFails(t *testing.T) {
	r, err := registry.Start(t.Context(), root(t), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	if _, err := registry.Start(t.Context(), root(t), registry.Options{Listen: r.Addr}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Start where another listens: %v, want that the address is in use", err)
	}
}
