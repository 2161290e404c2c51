package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOrchestrated(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"pod", "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-2.scope\n", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-2.scope"},
		{"pod, without systemd", "0::/kubepods/burstable/pod1/2\n", "/kubepods/burstable/pod1/2"},
		{"static pod of another runtime", "0::/system.slice/crio-1.scope\n", "/system.slice/crio-1.scope"},
		{"task", "0::/ecs/1/2\n", "/ecs/1/2"},
		{"task in a slice", "0::/ecstasks.slice/ecstasks-1.slice/docker-2.scope\n", "/ecstasks.slice/ecstasks-1.slice/docker-2.scope"},
		{"docker", "0::/docker/1\n", "/docker/1"},
		{"docker by systemd", "0::/system.slice/docker-1.scope\n", "/system.slice/docker-1.scope"},
		{"hierarchies of version 1", "12:cpu,cpuacct:/kubepods/1\n0::/system.slice\n", "/kubepods/1"},
		{"host container", "0::/system.slice/system-host\\x2dcontainer.slice/host-container@admin.service/container-admin\n", ""},
		{"host container called docker", "0::/system.slice/host-container@docker.service/container-docker\n", ""},
		{"declared container", "0::/system.slice/container@web.service/container-container.web\n", ""},
		{"service of Docker", "0::/system.slice/docker.service\n", ""},
		{"kubelet", "0::/runtime.slice/kubelet.service\n", ""},
		{"root", "0::/\n", ""},
		{"nothing", "", ""},
	} {
		if got := orchestrated(tt.text); got != tt.want {
			t.Errorf("orchestrated(%s): %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A stranger gets nothing, root or not, and is recorded, a bounded number of times.
func TestStrangers(t *testing.T) {
	s := newServer(t)
	p := &Peer{Role: None, name: "root", stranger: "process 7 is in a container of an orchestrator: /kubepods/1"}
	for range 100 {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, p), "GET", "/os", nil)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "/kubepods/1") {
			t.Fatalf("GET /os by a stranger: %d %s, want 403 and why", w.Code, w.Body)
		}
	}
	if left := s.strangers.Tokens(); left > 1 {
		t.Errorf("after 100 attempts %v more would be recorded at once, want less than one", left)
	}
}
