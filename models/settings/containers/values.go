package containers

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/internal/duration"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Network is whose network a container has.
type Network string

// The networks.
const (
	Bridge Network = "bridge" // its own, behind that of the node
	Host   Network = "host"   // that of the node
)

// Rule describes the type.
func (Network) Rule() scalar.Rule { return scalar.Enum("network", string(Bridge), string(Host)) }

// A Restart says when a container that has ended is started again.
type Restart string

// Rule describes the type.
func (Restart) Rule() scalar.Rule {
	return scalar.Enum("restart policy", "always", "on-failure", "never")
}

// A Capability is a right that a container can be given. Those that would make it
// a part of the node are not among them.
type Capability string

// Rule describes the type.
func (Capability) Rule() scalar.Rule {
	return scalar.Enum("capability", "audit-write", "chown", "dac-override", "fowner", "fsetid", "ipc-lock", "kill", "lease", "mknod",
		"net-admin", "net-bind-service", "net-raw", "setfcap", "setgid", "setpcap", "setuid", "sys-chroot", "sys-nice", "sys-resource", "sys-time")
}

// A Dropped is a right that a container does without.
type Dropped string

// Rule describes the type.
func (Dropped) Rule() scalar.Rule {
	return scalar.Enum("usual capability", "all", "chown", "dac-override", "fowner", "fsetid", "kill", "net-bind-service", "setgid", "setuid")
}

// A HostFile is a file of the node that a container may read.
type HostFile string

// Rule describes the type.
func (HostFile) Rule() scalar.Rule {
	return scalar.Enum("file of the node", "/etc/machine-id", "/etc/os-release", "/etc/ssl/certs/ca-certificates.crt")
}

// text is what types that are text of a certain form have in common.
type text struct{ s string }

// String returns the value as it was written.
func (t text) String() string { return t.s }

// MarshalText returns the value as it was written.
func (t text) MarshalText() ([]byte, error) { return []byte(t.s), nil }

// matching returns s where it has the form, of at most most bytes.
func matching(s, what string, form *regexp.Regexp, most int, want string) (text, error) {
	if len(s) > most || !form.MatchString(s) {
		return text{}, fmt.Errorf("%s %.100q is not acceptable, want %s", what, s, want)
	}
	return text{s}, nil
}

// A Name is the name of a container, which is that of a host, too, or of one of
// its volumes.
type Name struct{ text }

const (
	nameWant = "1 to 40 lower-case letters, digits and single hyphens, neither first nor last a hyphen"
	mostName = 40
)

var (
	nameForm      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	reservedNames = []string{"localhost", "host"}
)

// ParseName returns the Name written as s.
func ParseName(s string) (Name, error) {
	if slices.Contains(reservedNames, s) {
		return Name{}, fmt.Errorf("name %q is reserved: a container knows itself or the node by it", s)
	}
	t, err := matching(s, "name", nameForm, mostName, nameWant)
	return Name{t}, err
}

// Compare orders names.
func (n Name) Compare(o Name) int { return strings.Compare(n.s, o.s) }

// UnmarshalText reads what ParseName accepts.
func (n *Name) UnmarshalText(b []byte) (err error) { *n, err = ParseName(string(b)); return err }

// Rule describes the type.
func (Name) Rule() scalar.Rule {
	return scalar.Rule{Name: "name of a container", Want: nameWant, Pattern: nameForm.String(), MaxBytes: mostName, Examples: []string{"web", "data-1"}}
}

// An EnvName is the name of a variable in an environment.
type EnvName struct{ text }

const (
	envWant = "1 to 128 letters, digits and underscores, the first no digit"
	mostEnv = 128
)

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseEnvName returns the EnvName written as s.
func ParseEnvName(s string) (EnvName, error) {
	t, err := matching(s, "variable", envForm, mostEnv, envWant)
	return EnvName{t}, err
}

// Compare orders names.
func (n EnvName) Compare(o EnvName) int { return strings.Compare(n.s, o.s) }

// UnmarshalText reads what ParseEnvName accepts.
func (n *EnvName) UnmarshalText(b []byte) (err error) { *n, err = ParseEnvName(string(b)); return err }

// Rule describes the type.
func (EnvName) Rule() scalar.Rule {
	return scalar.Rule{Name: "name of a variable", Want: envWant, Pattern: envForm.String(), MaxBytes: mostEnv, Examples: []string{"LOG_LEVEL"}}
}

// A User is a user of an image, and a group.
type User struct{ text }

const (
	userWant = "the name or number of a user and, behind a colon, of a group"
	mostUser = 80
)

var userForm = regexp.MustCompile(`^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,5})(:([a-z_][a-z0-9_-]{0,31}|[0-9]{1,5}))?$`)

// ParseUser returns the User written as s.
func ParseUser(s string) (User, error) {
	t, err := matching(s, "user", userForm, mostUser, userWant)
	for id := range strings.SplitSeq(s, ":") {
		if n, no := strconv.Atoi(id); err == nil && no == nil && n > 65535 {
			return User{}, fmt.Errorf("user %q has a number above 65535", s)
		}
	}
	return User{t}, err
}

// UnmarshalText reads what ParseUser accepts.
func (u *User) UnmarshalText(b []byte) (err error) { *u, err = ParseUser(string(b)); return err }

// Rule describes the type.
func (User) Rule() scalar.Rule {
	return scalar.Rule{Name: "user of a container", Want: userWant, Pattern: userForm.String(), MaxBytes: mostUser, Examples: []string{"1000", "www:www", "101:0"}}
}

// A Path is a place in a container.
type Path struct{ text }

const (
	pathWant = "an absolute path, other than /, without blanks, colons and control characters and without . and .. as parts"
	mostPath = 255
)

var pathForm = regexp.MustCompile(`^/[!-9;-~]+$`)

// ParsePath returns the Path written as s.
func ParsePath(s string) (Path, error) {
	t, err := matching(s, "path", pathForm, mostPath, pathWant)
	if err == nil && path.Clean(s) != s {
		return Path{}, fmt.Errorf("path %q has needless parts, want %s", s, path.Clean(s))
	}
	return Path{t}, err
}

// UnmarshalText reads what ParsePath accepts.
func (p *Path) UnmarshalText(b []byte) (err error) { *p, err = ParsePath(string(b)); return err }

// Rule describes the type.
func (Path) Rule() scalar.Rule {
	return scalar.Rule{Name: "path in a container", Want: pathWant, Pattern: pathForm.String(), MaxBytes: mostPath, Examples: []string{"/data", "/var/lib/postgresql"}}
}

// A Port is a port of the node that is forwarded to one of a container.
type Port struct {
	text

	host, container uint16
	protocol        string
}

const portWant = `two ports from 1 to 65535 with a colon, first that of the node, and /tcp or /udp`

var portForm = regexp.MustCompile(`^([0-9]{1,5}):([0-9]{1,5})(/(tcp|udp))?$`)

// ParsePort returns the Port written as s.
func ParsePort(s string) (Port, error) {
	parts := portForm.FindStringSubmatch(s)
	if parts == nil {
		return Port{}, fmt.Errorf("port %.40q is not acceptable, want %s", s, portWant)
	}
	host, err := portNumber(parts[1])
	if err != nil {
		return Port{}, err
	}
	container, err := portNumber(parts[2])
	return Port{text{s}, host, container, cmp.Or(parts[4], "tcp")}, err
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %s is out of range, want 1 to 65535", s)
	}
	return uint16(n), nil
}

// Host returns the port of the node.
func (p Port) Host() int { return int(p.host) }

// Container returns the port of the container.
func (p Port) Container() int { return int(p.container) }

// Protocol returns "tcp" or "udp".
func (p Port) Protocol() string { return p.protocol }

// outer returns what two ports have in common that cannot both be forwarded.
func (p Port) outer() Port { return Port{host: p.host, protocol: p.protocol} }

// UnmarshalText reads what ParsePort accepts.
func (p *Port) UnmarshalText(b []byte) (err error) { *p, err = ParsePort(string(b)); return err }

// Rule describes the type.
func (Port) Rule() scalar.Rule {
	return scalar.Rule{Name: "forwarded port", Want: portWant, Pattern: portForm.String(), Examples: []string{"8080:80", "53:53/udp"}}
}

// An Address is where a container answers over HTTP.
type Address struct{ text }

const (
	addressWant = `http://localhost, a colon, a port and a path; localhost stands for the container`
	mostAddress = 1024
)

var addressForm = regexp.MustCompile(`^http://localhost:[0-9]{1,5}(/[!-~]*)?$`)

// ParseAddress returns the Address written as s.
func ParseAddress(s string) (Address, error) {
	t, err := matching(s, "address", addressForm, mostAddress, addressWant)
	if err != nil {
		return Address{}, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, fmt.Errorf("address %.100q is no URL", s)
	}
	if _, err := portNumber(u.Port()); err != nil {
		return Address{}, fmt.Errorf("address %.100q: %w", s, err)
	}
	return Address{t}, nil
}

// UnmarshalText reads what ParseAddress accepts.
func (a *Address) UnmarshalText(b []byte) (err error) { *a, err = ParseAddress(string(b)); return err }

// Rule describes the type.
func (Address) Rule() scalar.Rule {
	return scalar.Rule{
		Name: "address in a container", Want: addressWant, Pattern: addressForm.String(), MaxBytes: mostAddress,
		Examples: []string{"http://localhost:8080/healthz"},
	}
}

// A Span is a time: numbers with the units h, m and s, in this order.
type Span struct{ text }

// ParseSpan returns the Span written as s.
func ParseSpan(s string) (Span, error) {
	if err := duration.Check(s, []string{"h"}, []string{"m"}, []string{"s"}); err != nil {
		return Span{}, err
	}
	return Span{text{s}}, nil
}

// Value returns the time, which is none where it is not set.
func (s Span) Value() time.Duration {
	if s.s == "" {
		return 0
	}
	return duration.Value(s.s)
}

// UnmarshalText reads what ParseSpan accepts.
func (s *Span) UnmarshalText(b []byte) (err error) { *s, err = ParseSpan(string(b)); return err }

// Rule describes the type.
func (Span) Rule() scalar.Rule {
	const n = `([0-9]+\.)?[0-9]+`
	return scalar.Rule{
		Name: "time", Want: "numbers with the units h, m and s in this order, without spaces",
		Pattern:  `^(` + n + `h)?(` + n + `m)?(` + n + `s)?$`,
		Examples: []string{"30s", "1m30s"},
	}
}

// number is what types that are integers in a range have in common.
type number struct{ n int }

// Int returns the number.
func (n number) Int() int { return n.n }

// String returns the number in decimal.
func (n number) String() string { return strconv.Itoa(n.n) }

// MarshalJSON returns the number.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

func readNumber(what string, node *syntax.Node, most int64) (number, error) {
	v, ok := node.Int()
	if node.Kind != syntax.Integer || !ok || v < 1 || v > most {
		return number{}, fmt.Errorf("%s is %s, want an integer from 1 to %d", what, node.Describe(), most)
	}
	return number{int(v)}, nil
}

func numberRule(name string, most int64, example string) scalar.Rule {
	least := int64(1)
	return scalar.Rule{
		Name: name, Want: fmt.Sprintf("an integer from 1 to %d", most), Types: []string{"integer"},
		Min: &least, Max: &most, Examples: []string{example},
	}
}

// A PortNumber is a port of a container.
type PortNumber struct{ number }

const mostPort = 65535

// UnmarshalSetting reads an integer.
func (p *PortNumber) UnmarshalSetting(n *syntax.Node) (err error) {
	p.number, err = readNumber("port", n, mostPort)
	return err
}

// Rule describes the type.
func (PortNumber) Rule() scalar.Rule { return numberRule("port", mostPort, "5432") }

// Retries is how often something may fail in a row.
type Retries struct{ number }

const mostRetries = 100

// UnmarshalSetting reads an integer.
func (r *Retries) UnmarshalSetting(n *syntax.Node) (err error) {
	r.number, err = readNumber("number of tries", n, mostRetries)
	return err
}

// Rule describes the type.
func (Retries) Rule() scalar.Rule { return numberRule("number of tries", mostRetries, "3") }
