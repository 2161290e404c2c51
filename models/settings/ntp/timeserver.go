package ntp

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A TimeServer is the name or address of a time server.
//
// What is accepted is what has always been: anything that a scalar.URL is made
// from. It is stored as written all the same, because the canonical form of
// 169.254.169.123 as a URL is http://169.254.169.123/, and chrony wants to read
// 169.254.169.123.
type TimeServer struct{ s string }

// ParseTimeServer returns the TimeServer written as s.
func ParseTimeServer(s string) (TimeServer, error) {
	if _, err := scalar.ParseURL(s); err != nil {
		return TimeServer{}, fmt.Errorf("time server: %w", err)
	}
	return TimeServer{s}, nil
}

// Host returns the name or address to give to chrony; ok is false where the
// text is a URL or a path, of which chrony can make nothing. An IPv6 address
// loses its brackets.
func (t TimeServer) Host() (host string, ok bool) {
	bare := t.s
	if inner, closed := strings.CutSuffix(bare, "]"); closed {
		bare = strings.TrimPrefix(inner, "[")
	}
	if ip, err := scalar.ParseIP(bare); err == nil {
		return ip.String(), true
	}
	if _, err := scalar.ParseHostname(strings.ToLower(strings.TrimSuffix(t.s, "."))); err != nil {
		return "", false
	}
	return t.s, true
}

// String returns the text as it was written.
func (t TimeServer) String() string { return t.s }

// MarshalText returns the text as it was written.
func (t TimeServer) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// UnmarshalText reads what ParseTimeServer accepts.
func (t *TimeServer) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTimeServer(string(b))
	return err
}

// Rule describes the type.
func (TimeServer) Rule() scalar.Rule {
	r := scalar.URL{}.Rule()
	r.Name = "time server"
	r.Want = "a host name or an IP address"
	r.Examples = []string{"time.example.org", "169.254.169.123"}
	return r
}
