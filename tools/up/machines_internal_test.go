package up

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	all := []cluster.Status{
		{
			Name: "dev-1", State: cluster.Running, Since: now.Add(-90 * time.Second), Addr: netip.MustParseAddr("192.168.127.10"),
			Forwards: []cluster.Forward{{Listen: "127.0.0.1:18443", Port: 8443}},
		},
		{Name: "dev-2", State: cluster.Off, Why: "it switched itself off", Since: now.Add(-time.Hour), Addr: netip.MustParseAddr("192.168.127.11")},
	}
	var out bytes.Buffer
	must(t, table(&out, all, now))
	want := strings.TrimPrefix(`
NODE   STATE    FOR     ADDRESS         API              WHY
dev-1  running  1m30s   192.168.127.10  127.0.0.1:18443  -
dev-2  off      1h0m0s  192.168.127.11  -                it switched itself off
`, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// What is found when no supervisor lives: the files of those that did.
func TestWithoutSupervisor(t *testing.T) {
	root := workspace.Root(t.TempDir())
	var out bytes.Buffer
	must(t, List(t.Context(), root, &out))
	if want := "there are no nodes; shipyard up makes one\n"; out.String() != want {
		t.Errorf("List of nothing prints %q, want %q", out.String(), want)
	}
	write(t, `{"name": "dev-1", "state": "running", "since": "2026-11-21T12:00:00Z", "address": "192.168.127.10"}`, Dir(root), "dev", "dev-1", "machine.json")
	write(t, `{"name": "dev-2", "state": "off", "why": "it switched itself off"}`, Dir(root), "dev", "dev-2", "machine.json")
	write(t, "a\x1b[0m line\r\nb\n", Dir(root), "dev", "dev-2", "console.log")
	write(t, "", Dir(root), "qemu-dev", "console.log") // of something else
	all, err := Machines(t.Context(), root)
	must(t, err)
	var got []string
	for _, s := range all {
		got = append(got, s.Name+" "+string(s.State)+" "+s.Why)
	}
	if diff := cmp.Diff([]string{"dev-1 off lost: its supervisor ended without switching it off", "dev-2 off it switched itself off"}, got); diff != "" {
		t.Errorf("Machines (-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ name, want string }{
		{"dev-1", ""},
		{"", "say which node: dev-1, dev-2"},
		{"dev-3", "there is no node dev-3, but dev-1, dev-2"},
	} {
		if _, _, err := Find(t.Context(), root, tt.name); text(err) != tt.want {
			t.Errorf("Find(%q): error %v, want %q", tt.name, err, tt.want)
		}
	}
	out.Reset()
	must(t, Logs(t.Context(), root, "dev-2", true, &out))
	if want := "a line\nb\n"; out.String() != want {
		t.Errorf("Logs prints %q, want %q", out.String(), want)
	}
	err = Down(t.Context(), root, DownOptions{Cluster: "dev", Nodes: []string{"dev-1", "lab-1"}}, &out)
	if want := "there is no node lab-1 in the cluster, but dev-1, dev-2"; text(err) != want {
		t.Errorf("Down of a node of another cluster: error %v, want %s", err, want)
	}
	out.Reset()
	must(t, Down(t.Context(), root, DownOptions{Cluster: "dev", Delete: true, Contexts: t.TempDir()}, &out))
	if want := "cluster dev is deleted\n"; out.String() != want {
		t.Errorf("Down prints %q, want %q", out.String(), want)
	}
	out.Reset()
	must(t, Down(t.Context(), root, DownOptions{Cluster: "dev", Contexts: t.TempDir()}, &out))
	if want := "there is no cluster dev\n"; out.String() != want {
		t.Errorf("Down again prints %q, want %q", out.String(), want)
	}
}
