package containers_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/containers"
)

func list[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t *testing.T, words ...string) []T {
	t.Helper()
	var out []T
	for _, w := range words {
		var v T
		if err := P(&v).UnmarshalText([]byte(w)); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestCheck(t *testing.T) {
	image := valuetest.Parse[scalar.ImageRef](t, "registry.example.org/web:v1")
	name := func(s string) containers.Name { return *valuetest.Parse[containers.Name](t, s) }
	web, db, third := name("web"), name("db"), name("third")
	path := func(s string) *containers.Path { return valuetest.Parse[containers.Path](t, s) }
	span := func(s string) *containers.Span { return valuetest.Parse[containers.Span](t, s) }
	word := *valuetest.Parse[scalar.SingleLine](t, "x")
	variable := *valuetest.Parse[containers.EnvName](t, "WORD")
	tests := []struct {
		name string
		in   containers.Settings
		want []string
	}{
		{name: "nothing"},
		{name: "complete", in: containers.Settings{
			web: {
				Image: image, Ports: list[containers.Port](t, "8080:80", "8080:80/udp"), After: []containers.Name{db},
				Health: &containers.Health{HTTP: valuetest.Parse[containers.Address](t, "http://localhost:80/"), Interval: span("1m")},
			},
			db: {Image: image, Volumes: map[containers.Name]containers.Volume{db: {Path: path("/data")}}},
		}},
		{name: "off without image", in: containers.Settings{web: {Enabled: new(false)}}},
		{
			name: "no image", in: containers.Settings{web: {}},
			want: []string{"settings.containers.web.image: image is not set, so there is nothing to run (set image to a container image, or enabled to false)"},
		},
		{
			name: "ports with the network of the node",
			in:   containers.Settings{web: {Image: image, Network: new(containers.Host), Ports: list[containers.Port](t, "1:1")}},
			want: []string{`settings.containers.web.ports: with network = host the container has the ports of the node, and none is forwarded (remove ports, or set network to "bridge")`},
		},
		{
			name: "ports of two containers, and one that is off",
			in: containers.Settings{
				web: {Image: image, Ports: list[containers.Port](t, "80:80", "53:53/udp")}, db: {Image: image, Ports: list[containers.Port](t, "80:8080", "53:53")},
				third: {Image: image, Enabled: new(false), Ports: list[containers.Port](t, "80:80")},
			},
			want: []string{"settings.containers.web.ports: port 80 of the node for tcp is that of container db (choose another port of the node, or switch one of the containers off)"},
		},
		{
			name: "a port twice", in: containers.Settings{web: {Image: image, Ports: list[containers.Port](t, "80:80", "80:81")}},
			want: []string{"settings.containers.web.ports: port 80 of the node for tcp is forwarded twice (name each port of the node once)"},
		},
		{
			name: "after itself and nobody",
			in: containers.Settings{
				web: {Image: image, After: []containers.Name{db}}, db: {Image: image, After: []containers.Name{web}}, third: {Image: image, After: []containers.Name{name("gone"), db}},
			},
			want: []string{
				"settings.containers.db.after: the container would wait for itself, by way of those that it starts after (take one of them out of after)",
				"settings.containers.third.after: there is no container gone (name containers of settings.containers, or take it out)",
				"settings.containers.web.after: the container would wait for itself, by way of those that it starts after (take one of them out of after)",
			},
		},
		{
			name: "volumes", in: containers.Settings{web: {Image: image, Volumes: map[containers.Name]containers.Volume{
				db: {Path: path("/data")}, web: {Path: path("/data")}, third: {Path: path("/proc/sys")},
			}}},
			want: []string{
				"settings.containers.web.volumes.third.path: /proc of a container is the system's (choose another path, such as /data)",
				"settings.containers.web.volumes.web.path: volume db is at /data, too (choose another path)",
			},
		},
		{
			name: "rights and variables", in: containers.Settings{web: {
				Image: image, Capabilities: &containers.Capabilities{Add: []containers.Capability{"kill"}, Drop: []containers.Dropped{"kill"}},
				Env: map[containers.EnvName]scalar.SingleLine{variable: word}, SecretEnv: map[containers.EnvName]scalar.Identifier{variable: *valuetest.Parse[scalar.Identifier](t, "word")},
			}},
			want: []string{
				"settings.containers.web.secret-env.WORD: env sets the variable WORD, too (remove it from one of them)",
				"settings.containers.web.capabilities.drop: add has it, too (remove it from one of them)",
			},
		},
		{
			name: "health of nothing, and in two ways", in: containers.Settings{
				web: {Image: image, Health: &containers.Health{}},
				db: {Image: image, Health: &containers.Health{
					Command: []scalar.SingleLine{word}, HTTP: valuetest.Parse[containers.Address](t, "http://localhost:80"), Interval: span("0.5s"), Timeout: span("1h"),
				}},
			},
			want: []string{
				"settings.containers.db.health.http: command and http are set, and a container is asked in one way (keep one of them)",
				"settings.containers.db.health.interval: 0.5s is out of range (give a time from 1s to 24h0m0s)",
				"settings.containers.db.health.timeout: 1h is out of range (give a time from 1s to 10m0s)",
				"settings.containers.web.health.command: none of command, http and tcp is set, so there is nothing to ask (set one of them)",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "containers")); diff != "" {
				t.Errorf("faults of containers (-want +got):\n%s", diff)
			}
		})
	}
}

// Values are kept as they were written, or refused with what would be right.
func TestValues(t *testing.T) {
	tests := []struct {
		name string
		into interface {
			UnmarshalText([]byte) error
			fmt.Stringer
		}
		in, err string
	}{
		{name: "name", into: new(containers.Name), in: "web-1"},
		{name: "reserved name", into: new(containers.Name), in: "host", err: `name "host" is reserved: a container knows itself or the node by it`},
		{name: "name in capitals", into: new(containers.Name), in: "Web", err: `name "Web" is not acceptable, want 1 to 40 lower-case letters, digits and single hyphens, neither first nor last a hyphen`},
		{name: "two hyphens", into: new(containers.Name), in: "a--b", err: `name "a--b" is not acceptable, want 1 to 40 lower-case letters, digits and single hyphens, neither first nor last a hyphen`},
		{name: "variable", into: new(containers.EnvName), in: "_LOG2"},
		{name: "no variable", into: new(containers.EnvName), in: "A=B", err: `variable "A=B" is not acceptable, want 1 to 128 letters, digits and underscores, the first no digit`},
		{name: "user", into: new(containers.User), in: "www:0"},
		{name: "large user", into: new(containers.User), in: "65536", err: `user "65536" has a number above 65535`},
		{name: "path", into: new(containers.Path), in: "/a/b"},
		{name: "root", into: new(containers.Path), in: "/", err: `path "/" is not acceptable, want an absolute path, other than /, without blanks, colons and control characters and without . and .. as parts`},
		{name: "way out", into: new(containers.Path), in: "/a/../b", err: `path "/a/../b" has needless parts, want /b`},
		{name: "port", into: new(containers.Port), in: "53:5353/udp"},
		{name: "no port", into: new(containers.Port), in: "80", err: `port "80" is not acceptable, want two ports from 1 to 65535 with a colon, first that of the node, and /tcp or /udp`},
		{name: "large port", into: new(containers.Port), in: "80:65536", err: "port 65536 is out of range, want 1 to 65535"},
		{name: "address", into: new(containers.Address), in: "http://localhost:80/a?b"},
		{name: "address elsewhere", into: new(containers.Address), in: "http://example.org:80/", err: `address "http://example.org:80/" is not acceptable, want http://localhost, a colon, a port and a path; localhost stands for the container`},
		{name: "port of an address", into: new(containers.Address), in: "http://localhost:0/", err: `address "http://localhost:0/": port 0 is out of range, want 1 to 65535`},
		{name: "span", into: new(containers.Span), in: "1m30s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.into.UnmarshalText([]byte(tt.in))
			if fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
				t.Errorf("UnmarshalText(%q): %v, want %s", tt.in, err, tt.err)
			}
			if err == nil && tt.into.String() != tt.in {
				t.Errorf("UnmarshalText(%q) gives %s, want the same", tt.in, tt.into)
			}
		})
	}
}

func TestPort(t *testing.T) {
	p, err := containers.ParsePort("53:5353/udp")
	if err != nil {
		t.Fatal(err)
	}
	if p.Host() != 53 || p.Container() != 5353 || p.Protocol() != "udp" {
		t.Errorf("ParsePort: %d, %d, %s, want 53, 5353, udp", p.Host(), p.Container(), p.Protocol())
	}
}
