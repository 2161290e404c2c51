package remote_test

import (
	"strings"
	"sync/atomic"
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

// A clock that is ten years ahead keeps everybody out whose certificate ends before
// that, and only until it is set.
func TestClockAhead(t *testing.T) {
	ca := newAuthority(t, "Callers")
	var ahead atomic.Bool
	ahead.Store(true)
	p, at := open(t, hello, ca, func(o *remote.Options) {
		o.Now = func() time.Time {
			if ahead.Load() {
				return time.Now().AddDate(10, 0, 0)
			}
			return time.Now()
		}
	})
	alice := as(t, ca.admin(t))
	if status, body, err := alice.get(at, "/"); err == nil || !strings.Contains(err.Error(), "expired certificate") {
		t.Errorf("GET / of a node that is ahead: %d %q, %v, want the certificate refused as expired", status, body, err)
	}
	within(t, "a line in the log that says why", func() bool { return strings.Contains(p.log.String(), "has expired") })
	ahead.Store(false)
	if status, body, err := alice.get(at, "/"); status != 200 {
		t.Errorf("GET / once its clock is right: %d %q, %v, want 200", status, body, err)
	}
}
