package server_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/report"
)

type health struct {
	Status           string
	Faults           []report.Fault
	Generation       uint64
	Version, Variant string
	Try              *struct{ Generation, Base uint64 }
	Uptime           float64
}

func TestHealth(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"x"}`)
	got := decode[health](t, n.do(get("/health")))
	if got.Uptime < 0 || got.Uptime > 600 {
		t.Errorf("uptime %v, want some seconds", got.Uptime)
	}
	got.Uptime = 0
	want := health{Status: "ok", Faults: []report.Fault{}, Generation: 1, Version: "1.2.3", Variant: "test-dev"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET /health (-want +got):\n%s", diff)
	}
	n.must("PATCH /settings", "json", `{"motd":"y"}`)
	n.must("POST /tx/commit?try=1h", "", "")
	if got := decode[health](t, n.do(get("/health"))).Try; got == nil || got.Generation != 2 || got.Base != 1 {
		t.Errorf("try in GET /health: %+v, want generation 2 on 1", got)
	}
}

// A fakeHost is a node that is as its fields say.
type fakeHost struct {
	faults []report.Fault
	booted bool
}

func (h fakeHost) Faults(context.Context) []report.Fault { return h.faults }
func (h fakeHost) Booted() bool                          { return h.booted }

func TestHealthOfTheNode(t *testing.T) {
	info := report.Fault{Severity: report.Info, Code: "grown", Detail: "the disk has grown"}
	failed := report.Fault{Severity: report.Error, Code: "unit-failed", Detail: "unit x.service has failed"}
	tests := []struct {
		name string
		host fakeHost
		want string
	}{
		{"boots", fakeHost{[]report.Fault{failed}, false}, "starting"},
		{"well", fakeHost{nil, true}, "ok"},
		{"something to know", fakeHost{[]report.Fault{info}, true}, "ok"},
		{"something wrong", fakeHost{[]report.Fault{info, failed}, true}, "degraded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t, func(o *server.Options) { o.Host = tt.host })
			got := decode[health](t, n.do(get("/health")))
			if got.Status != tt.want || len(got.Faults) != len(tt.host.faults) {
				t.Errorf("GET /health: %+v, want %s and %d faults", got, tt.want, len(tt.host.faults))
			}
		})
	}
}

// A node that cannot write its audit log goes on, and says so.
func TestHealthWithoutAuditLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := audit.Open(audit.Options{Dir: filepath.Join(file, "audit")})
	t.Cleanup(func() { _ = log.Close() }) // it cannot be written
	n := start(t, func(o *server.Options) { o.Notices.Audit = log })
	n.set(`{"motd":"x"}`)
	got := decode[health](t, n.do(get("/health")))
	if got.Status != "degraded" || len(got.Faults) != 1 || got.Faults[0].Code != "audit-not-writable" {
		t.Errorf("GET /health: %+v, want one fault about the audit log", got)
	}
}

func TestMetrics(t *testing.T) {
	n := start(t)
	n.set(`{"motd":"x"}`)
	n.do(get("/settings?keys="))
	body := n.do(get("/metrics")).body
	for _, line := range []string{
		`bulkhead_requests_total{method="PATCH",route="/settings",status="204"} 1`,
		`bulkhead_requests_total{method="GET",route="/settings",status="400"} 1`,
		`bulkhead_requests_total{method="POST",route="/tx/commit",status="200"} 1`,
		`bulkhead_commit_seconds_count 1`, `bulkhead_commit_seconds_bucket{le="+Inf"} 1`,
		`bulkhead_generation 1`, `bulkhead_transactions 0`, `bulkhead_event_streams 0`, `bulkhead_faults 0`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("GET /metrics lacks %s:\n%s", line, body)
		}
	}
}
