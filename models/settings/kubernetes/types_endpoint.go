package kubernetes

import (
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A RuntimeEndpoint is the Unix socket on which a container runtime listens,
// written as an absolute path or as a unix:// URL with one. The kubelet knows
// no other kind of endpoint on this system.
type RuntimeEndpoint struct{ s string }

const unixScheme = "unix://"

// socketPathMax is what fits the address of a Unix socket, its last NUL left out.
const socketPathMax = 107

// ParseRuntimeEndpoint returns the endpoint written as s.
func ParseRuntimeEndpoint(s string) (RuntimeEndpoint, error) {
	e := RuntimeEndpoint{s}
	if fault := socketFault(e.Path()); fault != "" {
		return RuntimeEndpoint{}, fmt.Errorf("container runtime endpoint %s %s", quote(s), fault)
	}
	return e, nil
}

func socketFault(path string) string {
	switch {
	case path == "":
		return "names no socket"
	case path[0] != '/' && strings.Contains(path, "://"):
		return "has a scheme other than unix"
	case path[0] != '/':
		return "is not an absolute path"
	case strings.HasSuffix(path, "/"):
		return "names a directory"
	case len(path) > socketPathMax:
		return fmt.Sprintf("has a path of %d bytes, more than %d", len(path), socketPathMax)
	}
	if piece, found := foreign(path, "/._-+@:"); found {
		return "holds " + piece
	}
	return ""
}

// Path returns the path of the socket.
func (e RuntimeEndpoint) Path() string { return strings.TrimPrefix(e.s, unixScheme) }

// URL returns the endpoint as the URL that the kubelet takes.
func (e RuntimeEndpoint) URL() string { return unixScheme + e.Path() }

// Rule describes the accepted endpoints.
func (RuntimeEndpoint) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "container runtime endpoint",
		Want:     "the absolute path of a Unix socket, optionally behind unix://, of letters, digits and / . _ - + @ :",
		Pattern:  `^(unix://)?/[A-Za-z0-9/._+@:-]*[A-Za-z0-9._+@:-]$`,
		MaxBytes: len(unixScheme) + socketPathMax,
		Examples: []string{"/run/containerd/containerd.sock", "unix:///run/containerd/containerd.sock"},
	}
}

// String returns the endpoint as it was written.
func (e RuntimeEndpoint) String() string { return e.s }

// MarshalText returns the endpoint as it was written.
func (e RuntimeEndpoint) MarshalText() ([]byte, error) { return []byte(e.s), nil }

// UnmarshalText reads an endpoint.
func (e *RuntimeEndpoint) UnmarshalText(b []byte) (err error) {
	*e, err = ParseRuntimeEndpoint(string(b))
	return err
}
