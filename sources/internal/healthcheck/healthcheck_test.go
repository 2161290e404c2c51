package healthcheck

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeUnits are units by their names; others do not exist.
type fakeUnits map[string]Unit

func (f fakeUnits) Unit(_ context.Context, name string) (Unit, error) {
	if u, ok := f[name]; ok {
		return u, nil
	}
	return Unit{Active: "inactive"}, nil
}

// silent is a systemd that does not answer.
type silent struct{}

func (silent) Unit(context.Context, string) (Unit, error) { return Unit{}, errors.New("no answer") }

var atBoot = []string{"multi-user.target"}

func TestWorkload(t *testing.T) {
	tests := []struct {
		name  string
		units Units
		want  []string
	}{
		{name: "none", units: fakeUnits{}},
		{name: "all run", units: fakeUnits{
			"containerd.service": {Loaded: true, Active: "active", NeededBy: []string{"kubelet.service"}},
			"kubelet.service":    {Loaded: true, Active: "active", WantedBy: atBoot},
		}},
		{name: "containerd that nobody starts", units: fakeUnits{"containerd.service": {Loaded: true, Active: "inactive"}}},
		{name: "containerd that a container starts", units: fakeUnits{"containerd.service": {Loaded: true, Active: "inactive", WantedBy: []string{"mine.service"}}}},
		{name: "kubelet without a cluster", units: fakeUnits{
			"containerd.service": {Loaded: true, Active: "inactive", NeededBy: []string{"kubelet.service"}},
			"kubelet.service":    {Loaded: true, Active: "inactive", Passed: true, WantedBy: atBoot},
		}},
		{
			name: "kubelet that fails and starts again",
			units: fakeUnits{
				"containerd.service": {Loaded: true, Active: "active", NeededBy: []string{"kubelet.service"}},
				"kubelet.service":    {Loaded: true, Active: "activating", WantedBy: atBoot},
			},
			want: []string{"unit kubelet.service is activating, want active"},
		},
		{
			name: "containerd that kubelet needs",
			units: fakeUnits{
				"containerd.service": {Loaded: true, Active: "failed", NeededBy: []string{"kubelet.service"}},
				"kubelet.service":    {Loaded: true, Active: "inactive", WantedBy: atBoot},
			},
			want: []string{"unit containerd.service is failed, want active", "unit kubelet.service is inactive, want active"},
		},
		{
			name: "a circle",
			units: fakeUnits{
				"docker.service": {Loaded: true, Active: "inactive", NeededBy: []string{"ecs.service"}},
				"ecs.service":    {Loaded: true, Active: "inactive", NeededBy: []string{"docker.service"}},
			},
		},
		{name: "systemd that does not answer", units: silent{}, want: []string{"no answer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := workloadFaults(t.Context(), tt.units, nil)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults of the workload (-want +got):\n%s", diff)
			}
		})
	}
}

// closedPort returns an address at which nobody listens.
// What runs and says that it is not well is a fault.
func TestWorkloadAnswers(t *testing.T) {
	status := http.StatusOK
	kubelet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer kubelet.Close()
	units := fakeUnits{"kubelet.service": {Loaded: true, Active: "active", WantedBy: atBoot}}
	run := func(url string) string {
		return strings.Join(workloadFaults(t.Context(), units, answers{"kubelet.service": url}), "; ")
	}
	if got := run(kubelet.URL); got != "" {
		t.Errorf("faults of a kubelet that is well: %s", got)
	}
	status = http.StatusInternalServerError
	want := "unit kubelet.service runs and is not well: GET " + kubelet.URL + ": 500 Internal Server Error, want a status from 200 to 399"
	if got := run(kubelet.URL); got != want {
		t.Errorf("faults of a kubelet that is not well: %q, want %q", got, want)
	}
	if got := run("http://" + closedPort(t)); !strings.Contains(got, "connection refused") {
		t.Errorf("faults of a kubelet that does not answer: %q, want connection refused", got)
	}
	if at := workloadAnswers()["kubelet.service"]; at != "http://127.0.0.1:10248/healthz" {
		t.Errorf("the kubelet is asked at %q", at)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestChecks(t *testing.T) {
	answers := http.NewServeMux()
	answers.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	answers.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/broken", http.StatusFound) })
	answers.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	answers.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain, encrypted := httptest.NewServer(answers), httptest.NewTLSServer(answers)
	defer plain.Close()
	defer encrypted.Close()
	units := fakeUnits{
		"a.service": {Loaded: true, Active: "active"},
		"b.service": {Loaded: true, Active: "failed"},
	}
	closed := closedPort(t)
	// It stands for the program that runs commands in containers.
	standIn := "#!/bin/sh\n[ \"$*\" = \"check web -- /check --well\" ] && exit\necho 'containers: /check ended with exit status 4' >&2\nexit 4\n"
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "containers"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	tests := []struct {
		name  string
		check Check
		want  string // at the end of the fault; empty where there is none
	}{
		{"unit", Check{Unit: "a.service"}, ""},
		{"unit that failed", Check{Unit: "b.service"}, "health check x: unit b.service is failed, want active"},
		{"no unit", Check{Unit: "c.service"}, "health check x: there is no unit c.service"},
		{"HTTP", Check{HTTP: plain.URL + "/ok"}, ""},
		{"HTTPS of anybody", Check{HTTP: encrypted.URL + "/ok"}, ""},
		{"redirect that is not followed", Check{HTTP: plain.URL + "/moved"}, ""},
		{"HTTP that is broken", Check{HTTP: plain.URL + "/broken"}, "/broken: 503 Service Unavailable, want a status from 200 to 399"},
		{"HTTP that hangs", Check{HTTP: plain.URL + "/hangs", Timeout: Span(50 * time.Millisecond)}, "context deadline exceeded"},
		{"TCP", Check{TCP: plain.Listener.Addr().String()}, ""},
		{"TCP that is closed", Check{TCP: closed}, "connect: connection refused"},
		{"container", Check{Container: "web", Command: []string{"/check", "--well"}}, ""},
		{"container that is not well", Check{Container: "web", Command: []string{"/check"}}, "health check x: in container web: run containers check web -- /check: exit status 4: containers: /check ended with exit status 4"},
		{"nothing", Check{}, "health check x: it asks for nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(Config{Checks: map[string]Check{"x": tt.check}}.Run(t.Context(), units), "; ")
			if !strings.HasSuffix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("Run of %+v = %q, want %q", tt.check, got, tt.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c, err := Read(root)
	if err != nil || c.BootDeadline() != DefaultBootDeadline || c.HealthDeadline() != DefaultHealthDeadline {
		t.Errorf("Read without the file = %+v, %v, want what always holds", c, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"boot-deadline": "1h30m", "health-deadline": "", "checks": {"web": {"http": "http://127.0.0.1/", "timeout": "1.5s"}}}`)
	want := Config{Boot: Span(90 * time.Minute), Checks: map[string]Check{"web": {HTTP: "http://127.0.0.1/", Timeout: Span(1500 * time.Millisecond)}}}
	if c, err = Read(root); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	write(`{"boot-deadline": "soon"}`)
	if _, err = Read(root); err == nil || !strings.HasPrefix(err.Error(), "etc/health-checks.json: ") {
		t.Errorf("Read of a file that is wrong: %v, want an error that names it", err)
	}
}

func TestUnitOf(t *testing.T) {
	u, err := unitOf(map[string]any{
		"LoadState": "loaded", "ActiveState": "inactive", "ConditionResult": false, "ConditionTimestamp": uint64(7),
		"WantedBy": []string{"a.target"}, "BoundBy": []string{"b.service"},
	})
	want := Unit{Loaded: true, Active: "inactive", Passed: true, WantedBy: []string{"a.target"}, NeededBy: []string{"b.service"}}
	if err != nil || cmp.Diff(want, u) != "" {
		t.Errorf("unitOf: %v (-want +got):\n%s", err, cmp.Diff(want, u))
	}
	if _, err := unitOf(map[string]any{"LoadState": "loaded"}); err == nil {
		t.Error("unitOf of half an answer: no error")
	}
}
