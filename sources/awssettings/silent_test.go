package awssettings

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/generator"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// A machine of another maker asks nobody, and a service that does not answer is
// waited for once.
func TestNobodyAnswers(t *testing.T) {
	for _, tt := range []struct {
		vendor string
		want   error
	}{
		{"QEMU", generator.ErrUnknown},
		{"Amazon EC2", context.DeadlineExceeded},
	} {
		t.Run(tt.vendor, func(t *testing.T) {
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				<-r.Context().Done()
			}))
			defer s.Close()
			root := t.TempDir()
			dmi := filepath.Join(root, "sys/class/dmi/id")
			if err := errors.Join(os.MkdirAll(dmi, 0o755), os.WriteFile(filepath.Join(dmi, "sys_vendor"), []byte(tt.vendor+"\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
			i := newInstance(root, imds.New(s.URL))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := i.Fact(ctx, region, generator.Settings{}); !errors.Is(err, tt.want) {
				t.Errorf("Fact on a machine of %s: %v, want %v", tt.vendor, err, tt.want)
			}
			before := asked.Load()
			if _, err := i.Fact(t.Context(), zone, generator.Settings{}); !errors.Is(err, tt.want) || asked.Load() != before {
				t.Errorf("another Fact on a machine of %s: %v, want %v, and that nobody is asked", tt.vendor, err, tt.want)
			}
		})
	}
}
