package hostcontainerd_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

const embedded = "bulkhead.invalid/test:v1"

// A container gets the directory that it keeps, with what it was told.
func TestStart(t *testing.T) {
	l := newLab(t)
	l.embed(l.image("PATH=/bin:/usr/bin"), embedded)
	data := strings.Repeat("x", 512<<10)
	d := l.definition(embedded, "report")
	d.UserData = base64.StdEncoding.EncodeToString([]byte(data))
	d.Proxy = hostcontainerd.Proxy{HTTPS: "http://proxy.example:3128", Direct: []string{"localhost"}}
	l.start(d)
	if code := l.wait("one"); code != 0 {
		t.Fatalf("exit status %d, want 0", code)
	}
	l.journal.expect(t, "one: reported")
	got := l.report("host-containers")
	want := map[string]any{
		"user-data": float64(len(data)), "NoNewPrivs": "1", "Seccomp": "2", "Pid": "1",
		"CapEff": "00000000a80425fb", "CapBnd": "00000000a80425fb",
		"args": []any{"/inside", "report"},
		"env": []any{
			"PATH=/bin:/usr/bin", "HTTPS_PROXY=http://proxy.example:3128", "https_proxy=http://proxy.example:3128",
			"NO_PROXY=localhost", "no_proxy=localhost", "HOME=/",
		},
	}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s in the container (-want +got):\n%s", name, diff)
		}
	}
}

// What a container sees of the host, and may do to it, depends on its kind.
func TestPowers(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	all := ownCapabilities(t)
	tests := []struct {
		name         string
		kind         hostcontainerd.Kind
		superpowered bool
		status       map[string]any // of the process
		mounts       map[string]any // nil where there is none
	}{
		{
			"plain", hostcontainerd.Host, false,
			map[string]any{"CapEff": "00000000a80425fb", "NoNewPrivs": "1", "Seccomp": "2", "Pid": "1"},
			map[string]any{
				"/run/api.sock": "rw", "/usr/local/bin/apiclient": "ro", "/etc/hosts": "ro", "/etc/bottlerocket-release": "ro",
				"/etc/bulkhead-release": "ro", "/.bottlerocket/support": "ro", "/.bulkhead/support": "ro", "/sys/fs/cgroup": "ro",
				"/.bulkhead/host-containers/one": "rw", "/.bottlerocket/host-containers/current": "rw",
				"/.bulkhead/rootfs": nil, "/lib/modules": nil, "/.bulkhead/rootfs/mnt": nil, "/var/lib/containerd": nil,
			},
		},
		{
			"superpowered", hostcontainerd.Host, true,
			map[string]any{"CapEff": all, "NoNewPrivs": "0", "Seccomp": "0"},
			map[string]any{
				"/.bulkhead/rootfs": "ro", "/.bottlerocket/rootfs": "ro", "/.bulkhead/rootfs/mnt": "rw", "/lib/modules": "ro",
				"/.bulkhead/host-containers/one": "rw", "/var/lib/containerd": nil, "/sys": "rw",
			},
		},
		{
			"bootstrap", hostcontainerd.Bootstrap, false,
			map[string]any{"CapEff": "00000000e82535fb", "NoNewPrivs": "1", "Seccomp": "2"},
			map[string]any{
				"/.bulkhead/rootfs": "ro", "/.bottlerocket/rootfs/mnt": "rw", "/lib/modules": "ro", "/var/lib/containerd": "rw",
				"/.bottlerocket/bootstrap-containers/one": "rw", "/.bulkhead/host-containers/one": nil,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := l.definition(embedded, "report", string(tt.kind)+"-containers")
			d.Kind, d.Superpowered = tt.kind, tt.superpowered
			l.start(d)
			if code := l.wait(d.ID()); code != 0 {
				t.Fatalf("exit status %d, want 0", code)
			}
			got := l.report(string(tt.kind) + "-containers")
			for name, value := range tt.status {
				if got[name] != value {
					t.Errorf("%s is %v, want %v", name, got[name], value)
				}
			}
			mounts, _ := got["mounts"].(map[string]any)
			for point, how := range tt.mounts {
				if mounts[point] != how {
					t.Errorf("mount at %s: %v, want %v", point, mounts[point], how)
				}
			}
			if err := l.Remove(t.Context(), d.ID()); err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
	}
}

func ownCapabilities(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:\t")
	caps, _, _ := strings.Cut(rest, "\n")
	return caps
}

// A container ends when it is asked to, or else is killed.
func TestStop(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	for _, tt := range []struct {
		name        string
		first, last string // lines that are written
		code        uint32
	}{
		{"wait", "one: ready", "one: told to end", 0},
		{"deaf", "one: deaf", "one: deaf", 137},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "wait" {
				l.opt.Grace = limit
			} else {
				l.opt.Grace = 200 * time.Millisecond
			}
			l.Close()
			l.connect()
			l.start(l.definition(embedded, tt.name))
			l.journal.expect(t, tt.first)
			if err := l.Stop(t.Context(), "one"); err != nil {
				t.Fatalf("Stop: %v", err)
			}
			code, ended, err := l.Outcome(t.Context(), "one")
			if err != nil || !ended || code != tt.code {
				t.Errorf("Outcome: %d, %t, %v, want %d, true, no error", code, ended, err, tt.code)
			}
			l.journal.expect(t, tt.last)
			for range 2 { // what has gone may be removed
				if err := l.Remove(t.Context(), "one"); err != nil {
					t.Errorf("Remove: %v", err)
				}
				if err := l.Stop(t.Context(), "one"); err != nil {
					t.Errorf("Stop of what has gone: %v", err)
				}
			}
		})
	}
}

// containerd is killed while a container runs, which goes on and is found again.
func TestKilledContainerd(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	d := l.definition(embedded, "wait")
	l.start(d)
	l.journal.expect(t, "one: ready")
	type end struct {
		code uint32
		err  error
	}
	ended := make(chan end, 1)
	waiting := l.Client
	go func() {
		code, err := waiting.Wait(context.WithoutCancel(t.Context()), "one")
		ended <- end{code, err}
	}()
	if err := l.daemon.Kill(); err != nil {
		t.Fatal(err)
	}
	l.startDaemon()
	l.start(d)
	select {
	case e := <-ended:
		t.Fatalf("Wait returned %d, %v while the container runs", e.code, e.err)
	default:
	}
	l.opt.Grace = limit
	l.connect()
	defer waiting.Close()
	if err := l.Stop(t.Context(), "one"); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	select {
	case e := <-ended:
		if e.code != 0 || e.err != nil {
			t.Errorf("Wait returned %d, %v, want 0, no error", e.code, e.err)
		}
	case <-time.After(limit):
		t.Error("Wait does not return after the container has ended")
	}
	l.journal.expectOnce(t, "one: ready")
}

// A container that differs from what is wanted is made anew, and what it changed
// in its own files is gone.
func TestChanged(t *testing.T) {
	l := newLab(t)
	l.embed(l.image(), embedded)
	first := l.definition(embedded, "wait")
	first.UserData = base64.StdEncoding.EncodeToString([]byte("old"))
	l.start(first)
	l.journal.expect(t, "one: ready")
	second := l.definition(embedded, "exit", "3")
	l.start(second)
	if code := l.wait("one"); code != 3 {
		t.Errorf("exit status %d, want 3", code)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "local/host-containers/one/user-data")); !os.IsNotExist(err) {
		t.Errorf("user data that was taken back: %v, want that it does not exist", err)
	}
}

// A program that is not there is told in the journal, with the status of shells.
func TestNoProgram(t *testing.T) {
	l := newLab(t)
	l.embed(l.image("PATH=/bin"), embedded)
	for _, tt := range []struct {
		program, line string
		code          uint32
	}{
		{"nothing", "one: journal-exec: start nothing: there is no such program in /bin", 127},
		{"/tmp", "one: journal-exec: start /tmp: permission denied", 126},
	} {
		d := l.definition(embedded)
		d.Command = []string{tt.program}
		l.start(d)
		if code := l.wait("one"); code != tt.code {
			t.Errorf("exit status of %s: %d, want %d", tt.program, code, tt.code)
		}
		l.journal.expect(t, tt.line)
	}
}
