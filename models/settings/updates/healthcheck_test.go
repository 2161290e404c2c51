package updates_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

func TestParseDuration(t *testing.T) {
	valuetest.Texts(t, updates.ParseDuration, []valuetest.Text{
		{Name: "minutes", In: "10m"},
		{Name: "all units", In: "1h2m3s"},
		{Name: "empty", In: "", Want: `duration "" is empty`},
		{Name: "no unit", In: "30", Want: `duration "30": "30" has no unit`},
		{Name: "finer than seconds", In: "9ms", Want: `duration "9ms": unknown unit "ms"`},
	})
	if got, want := valuetest.Parse[updates.Duration](t, "1m30s").Value(), 90*time.Second; got != want {
		t.Errorf("Duration(1m30s).Value() = %v, want %v", got, want)
	}
}

func TestParseUnitName(t *testing.T) {
	valuetest.Texts(t, updates.ParseUnitName, []valuetest.Text{
		{Name: "service", In: "kubelet.service"},
		{Name: "instance", In: `host-containers@my\x2dadmin.service`},
		{Name: "empty", In: "", Want: `unit "" has 0 bytes, want 1 to 255`},
		{Name: "no suffix", In: "kubelet", Want: `unit "kubelet" has no suffix of a unit, such as .service`},
		{Name: "a slice", In: "runtime.slice", Want: `unit "runtime.slice" has no suffix of a unit, such as .service`},
		{Name: "template", In: "getty@.service", Want: `unit "getty@.service" is no unit that can run`},
		{Name: "suffix alone", In: ".service", Want: `unit ".service" is no unit that can run`},
		{Name: "path", In: "../a.service", Want: `unit "../a.service" holds something other than letters, digits and :-_.\@`},
		{Name: "line break", In: "a.service\nb.service", Want: `unit "a.service\nb.service" holds something other than letters, digits and :-_.\@`},
	})
}

func TestParseEndpoint(t *testing.T) {
	valuetest.Texts(t, updates.ParseEndpoint, []valuetest.Text{
		{Name: "IPv4", In: "127.0.0.1:6443"},
		{Name: "IPv6", In: "[::1]:80"},
		{Name: "name", In: "registry.example.org:443"},
		{Name: "empty", In: "", Want: `endpoint "" is not a host and a port from 1 to 65535`},
		{Name: "no port", In: "localhost", Want: `endpoint "localhost" is not a host and a port from 1 to 65535`},
		{Name: "port zero", In: "127.0.0.1:0", Want: `endpoint "127.0.0.1:0" is not a host and a port from 1 to 65535`},
		{Name: "address without brackets", In: "::1:80", Want: `endpoint "::1:80" is not a host and a port from 1 to 65535`},
		{Name: "no name", In: "-a:80", Want: `endpoint "-a:80": host name "-a": label "-a" starts with a hyphen`},
	})
}

func TestCheckOfHealthChecks(t *testing.T) {
	name := *valuetest.Parse[scalar.Identifier](t, "agent")
	unit, tcp := valuetest.Parse[updates.UnitName](t, "agent.service"), valuetest.Parse[updates.Endpoint](t, "127.0.0.1:80")
	url := func(s string) *scalar.URL { return valuetest.Parse[scalar.URL](t, s) }
	duration := func(s string) *updates.Duration { return valuetest.Parse[updates.Duration](t, s) }
	one := func(c updates.HealthCheck) updates.Settings {
		return updates.Settings{HealthChecks: map[scalar.Identifier]updates.HealthCheck{name: c}}
	}
	tests := []struct {
		name string
		in   updates.Settings
		want []string
	}{
		{name: "unit", in: one(updates.HealthCheck{Unit: unit, Timeout: duration("30s")})},
		{name: "HTTP", in: one(updates.HealthCheck{HTTP: url("http://127.0.0.1/healthz")})},
		{name: "TCP and deadlines", in: func() updates.Settings {
			s := one(updates.HealthCheck{TCP: tcp})
			s.BootDeadline, s.HealthDeadline = duration("20m"), duration("1s")
			return s
		}()},
		{name: "nothing", in: one(updates.HealthCheck{}), want: []string{
			"settings.updates.health-checks.agent.unit: none of unit, http, tcp and container is set, so there is nothing to check (set one of them)",
		}},
		{name: "two things", in: one(updates.HealthCheck{Unit: unit, TCP: tcp}), want: []string{
			"settings.updates.health-checks.agent.tcp: unit and tcp are set, and a check asks for one thing (make a check of its own for each)",
		}},
		{name: "another protocol", in: one(updates.HealthCheck{HTTP: url("ftp://127.0.0.1/")}), want: []string{
			"settings.updates.health-checks.agent.http: ftp://127.0.0.1/ is neither an HTTP nor an HTTPS address (begin the address with http:// or https://)",
		}},
		{name: "no time", in: updates.Settings{BootDeadline: duration("0s"), HealthDeadline: duration("25h")}, want: []string{
			"settings.updates.boot-deadline: 0s is not a time to wait for health (give one from 1s to 24h)",
			"settings.updates.health-deadline: 25h is not a time to wait for health (give one from 1s to 24h)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valuetest.Faults(tt.in.Check, "updates")); diff != "" {
				t.Errorf("faults of updates (-want +got):\n%s", diff)
			}
		})
	}
}
