package settings_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/models/settings/containers"
	"github.com/bulkhead-os/bulkhead/models/settings/containersecrets"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

// Secrets and containers that others name are there.
func TestCheckContainers(t *testing.T) {
	web, gone := *valuetest.Parse[containers.Name](t, "web"), valuetest.Parse[containers.Name](t, "gone")
	id := func(s string) scalar.Identifier { return *valuetest.Parse[scalar.Identifier](t, s) }
	s := settings.Settings{
		Containers: containers.Settings{web: {
			Image:     valuetest.Parse[scalar.ImageRef](t, "web:1"),
			SecretEnv: map[containers.EnvName]scalar.Identifier{*valuetest.Parse[containers.EnvName](t, "A"): id("known"), *valuetest.Parse[containers.EnvName](t, "B"): id("unknown")},
		}},
		ContainerSecrets: containersecrets.Settings{id("known"): {}},
		Updates: &updates.Settings{HealthChecks: map[scalar.Identifier]updates.HealthCheck{
			id("one"): {Container: &web}, id("two"): {Container: gone},
		}},
	}
	want := []string{
		"settings.containers.web.secret-env.B: there is no secret unknown (set settings.container-secrets.unknown, or name one that is there)",
		"settings.updates.health-checks.two.container: there is no container gone that runs (name a container of settings.containers that is not off)",
	}
	if diff := cmp.Diff(want, valuetest.Faults(func(p report.Place) { s.Check(p) }, "")); diff != "" {
		t.Errorf("faults between groups (-want +got):\n%s", diff)
	}
}
