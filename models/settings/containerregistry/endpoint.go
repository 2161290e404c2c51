package containerregistry

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// An Endpoint is the address of a mirror: a URL of HTTP or HTTPS, or a host with
// a port, which is asked by HTTPS. It is stored as a scalar.URL is.
type Endpoint struct{ url scalar.URL }

// ParseEndpoint returns the Endpoint written as s. containerd drops all mirrors
// of a registry for one address that it cannot read, so that what is accepted
// here is what it reads.
func ParseEndpoint(s string) (Endpoint, error) {
	u, err := scalar.ParseURL(s)
	if err != nil {
		return Endpoint{}, fmt.Errorf("address of a mirror: %w", err)
	}
	address := u.String()
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	v, err := url.Parse(address)
	switch {
	case err != nil:
		return Endpoint{}, fmt.Errorf("address of a mirror: %.80q is neither a URL nor a host with a port", s)
	case v.Scheme != "http" && v.Scheme != "https":
		return Endpoint{}, fmt.Errorf("address of a mirror: %.80q has the scheme %s, want http or https", s, v.Scheme)
	case v.Hostname() == "":
		return Endpoint{}, fmt.Errorf("address of a mirror: %.80q has no host", s)
	}
	return Endpoint{u}, nil
}

// String returns the address as a URL prints.
func (e Endpoint) String() string { return e.url.String() }

// MarshalText returns the address as a URL prints.
func (e Endpoint) MarshalText() ([]byte, error) { return e.url.MarshalText() }

// UnmarshalText reads what ParseEndpoint accepts.
func (e *Endpoint) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEndpoint(string(b))
	return err
}

// Rule describes the type.
func (Endpoint) Rule() scalar.Rule {
	r := scalar.URL{}.Rule()
	r.Name = "address of a mirror"
	r.Want = "a URL such as https://mirror.example.org, or a host with a port, which is asked by HTTPS"
	r.Examples = []string{"https://mirror.example.org/", "mirror.example.org:5000"}
	return r
}
