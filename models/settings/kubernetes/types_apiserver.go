package kubernetes

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// An APIServer is the address of a cluster's API server: a URL with a host, or
// a host with a port, which the kubelet asks by HTTPS. It is stored as a
// scalar.URL is.
type APIServer struct{ url scalar.URL }

// ParseAPIServer returns the APIServer written as s. What has no host is
// refused: the kubelet could not connect, and the host is what proxies are
// passed by for.
func ParseAPIServer(s string) (APIServer, error) {
	u, err := scalar.ParseURL(s)
	if err != nil {
		return APIServer{}, fmt.Errorf("API server: %w", err)
	}
	text := u.String()
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	if v, err := url.Parse(text); err != nil || v.Hostname() == "" {
		return APIServer{}, fmt.Errorf("API server %s has no host, want a URL such as https://api.example.org:6443", quote(s))
	}
	return APIServer{u}, nil
}

// String returns the address as a URL prints.
func (a APIServer) String() string { return a.url.String() }

// MarshalText returns the address as a URL prints.
func (a APIServer) MarshalText() ([]byte, error) { return a.url.MarshalText() }

// UnmarshalText reads what ParseAPIServer accepts.
func (a *APIServer) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAPIServer(string(b))
	return err
}

// Rule describes the type.
func (APIServer) Rule() scalar.Rule {
	r := scalar.URL{}.Rule()
	r.Name = "API server"
	r.Want = "a URL with a host such as https://api.example.org:6443, or a host with a port, which is asked by HTTPS"
	r.Examples = []string{"https://api.example.org:6443/", "api.example.org:6443"}
	return r
}
