package remote_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/remote"
)

// A clock that is ten years behind keeps nobody out whom the right one would let
// in, and lets in nobody else.
func TestClockBehind(t *testing.T) {
	ca, other := newAuthority(t, "Callers"), newAuthority(t, "Others")
	_, at := open(t, hello, ca, func(o *remote.Options) {
		o.Now = func() time.Time { return time.Now().AddDate(-10, 0, 0) }
	})
	tests := []struct {
		name   string
		caller *caller
		want   string // the answer, or what the error holds
	}{
		{"admin", as(t, ca.admin(t)), "CN=alice,O=bulkhead:admin admin"},
		{"another authority", as(t, other.admin(t)), "bad certificate"},
		{"no certificate", as(t), "certificate required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // also over a connection that is there
				status, body, err := tt.caller.get(at, "/")
				if err == nil && (status != 200 || body != tt.want) || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("GET / of a node that is behind: %d %q, %v, want %q", status, body, err, tt.want)
				}
			}
		})
	}
}
