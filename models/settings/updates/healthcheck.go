package updates

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/containers"
)

// A HealthCheck asks for one thing: the state of a unit, an answer over HTTP or
// TCP, or a command in a container.
type HealthCheck struct {
	// The systemd unit that has to be active, with its suffix: "my-agent.service".
	// A unit that has started once and ended well counts as active only where it
	// says so itself (RemainAfterExit).
	Unit *UnitName `setting:"unit"`

	// The address that has to answer to an HTTP GET with a status from 200 to 399.
	// Redirects are not followed, and of HTTPS the certificate is not looked at: it
	// is a question of health, not of trust.
	HTTP *scalar.URL `setting:"http"`

	// The host and port to which a TCP connection has to be possible, such as
	// "127.0.0.1:6443". A version that is healthy but cannot reach another machine
	// is given up: name one only where that is what you want.
	TCP *Endpoint `setting:"tcp"`

	// The container of settings.containers in which command has to end with status
	// 0.
	Container *containers.Name `setting:"container"`

	// The program in the image of the container, with its arguments. Each element is
	// one word; no shell takes part.
	Command []scalar.SingleLine `setting:"command"`

	// How long one try may take. If unset, 5s. A check that fails is tried again
	// until the health deadline.
	Timeout *Duration `setting:"timeout"`
}

// The bounds of the deadlines: a shorter one gives up what is only slow, a longer
// one leaves a node without its workload.
const (
	shortest = time.Second
	longest  = 24 * time.Hour
)

// checkHealth reports checks that ask for nothing or for several things.
func (s *Settings) checkHealth(p report.Place) {
	checkSpan(p, "boot-deadline", s.BootDeadline)
	checkSpan(p, "health-deadline", s.HealthDeadline)
	for _, name := range slices.SortedFunc(maps.Keys(s.HealthChecks), scalar.Identifier.Compare) {
		s.HealthChecks[name].check(p.In("health-checks").In(name.String()))
	}
}

func (c HealthCheck) check(p report.Place) {
	var given []string
	if c.Unit != nil {
		given = append(given, "unit")
	}
	if c.HTTP != nil {
		given = append(given, "http")
		if s := c.HTTP.String(); !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
			p.Conflict("http", c.HTTP, s+" is neither an HTTP nor an HTTPS address", "begin the address with http:// or https://")
		}
	}
	if c.TCP != nil {
		given = append(given, "tcp")
	}
	if c.Container != nil {
		given = append(given, "container")
	}
	switch {
	case c.Container != nil && len(c.Command) == 0:
		p.Missing("command", "container is set and command is not, so there is nothing to run in it", "set command to a program and its arguments")
	case c.Container == nil && len(c.Command) > 0:
		p.Missing("container", "command is set and container is not, so there is nowhere to run it", "set container to the name of a container of settings.containers")
	}
	switch len(given) {
	case 0:
		if len(c.Command) > 0 {
			break // which was said
		}
		p.Missing("unit", "none of unit, http, tcp and container is set, so there is nothing to check", "set one of them")
	case 1:
	default:
		p.Conflict(given[1], nil, strings.Join(given, " and ")+" are set, and a check asks for one thing", "make a check of its own for each")
	}
	checkSpan(p, "timeout", c.Timeout)
}

func checkSpan(p report.Place, key string, d *Duration) {
	if d == nil {
		return
	}
	if v := d.Value(); v < shortest || v > longest {
		p.Conflict(key, d, d.String()+" is not a time to wait for health", fmt.Sprintf("give one from %s to 24h", shortest))
	}
}

// A UnitName is the full name of a systemd unit.
type UnitName struct{ s string }

// unitSuffixes are those of units of which it means something that they are
// active.
var unitSuffixes = []string{"service", "socket", "target", "timer", "mount", "path"}

// ParseUnitName returns the UnitName written as s.
func ParseUnitName(s string) (UnitName, error) {
	const special = ":-_.\\@"
	other := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(special, r)
	}
	dot := strings.LastIndexByte(s, '.')
	switch {
	case s == "" || len(s) > 255:
		return UnitName{}, fmt.Errorf("unit %q has %d bytes, want 1 to 255", s, len(s))
	case strings.ContainsFunc(s, other):
		return UnitName{}, fmt.Errorf("unit %q holds something other than letters, digits and %s", s, special)
	case dot < 0 || !slices.Contains(unitSuffixes, s[dot+1:]):
		return UnitName{}, fmt.Errorf("unit %q has no suffix of a unit, such as .service", s)
	case dot == 0 || s[0] == '@' || strings.HasSuffix(s[:dot], "@"):
		return UnitName{}, fmt.Errorf("unit %q is no unit that can run", s)
	}
	return UnitName{s}, nil
}

// Rule describes the accepted names.
func (UnitName) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "unit",
		Want:     "the full name of a systemd unit such as my-agent.service",
		Pattern:  `^[A-Za-z0-9:_.\\-][A-Za-z0-9:_.\\@-]*\.(` + strings.Join(unitSuffixes, "|") + `)$`,
		MaxBytes: 255,
		Examples: []string{"my-agent.service", "host-containers@admin.service"},
	}
}

// String returns the name as it was written.
func (u UnitName) String() string { return u.s }

// MarshalText returns the name as it was written.
func (u UnitName) MarshalText() ([]byte, error) { return []byte(u.s), nil }

// UnmarshalText reads what ParseUnitName accepts.
func (u *UnitName) UnmarshalText(b []byte) (err error) {
	*u, err = ParseUnitName(string(b))
	return err
}

// An Endpoint is a host and a port.
type Endpoint struct{ s string }

// ParseEndpoint returns the Endpoint written as s.
func ParseEndpoint(s string) (Endpoint, error) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Port() > 0 && a.Addr().Zone() == "" {
		return Endpoint{s}, nil
	}
	host, port, found := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !found || err != nil || n == 0 {
		return Endpoint{}, fmt.Errorf("endpoint %q is not a host and a port from 1 to 65535", s)
	}
	if _, err := scalar.ParseHostname(host); err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	return Endpoint{s}, nil
}

// Rule describes the accepted endpoints.
func (Endpoint) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "endpoint",
		Want:     "a host name or an IP address, a colon and a port; an IPv6 address stands in brackets",
		Pattern:  `^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]+$`,
		MaxBytes: 260,
		Examples: []string{"127.0.0.1:6443", "[::1]:8080", "registry.example.org:443"},
	}
}

// String returns the endpoint as it was written.
func (e Endpoint) String() string { return e.s }

// MarshalText returns the endpoint as it was written.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.s), nil }

// UnmarshalText reads what ParseEndpoint accepts.
func (e *Endpoint) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEndpoint(string(b))
	return err
}
