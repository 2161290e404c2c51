package networkconfig

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
)

// A listener is a daemon that keeps what it is told.
type listener struct {
	told difference
	err  error
}

func (l *listener) follow(_ context.Context, d difference) error {
	l.told = d
	return l.err
}

// A host is a directory that stands for the root of a node.
type host struct {
	t *testing.T
	options
	daemon listener
}

func newHost(t *testing.T) *host {
	dir := t.TempDir()
	h := &host{t: t, options: options{root: dir, health: filepath.Join(dir, "health")}}
	h.put("proc/cmdline", "quiet\n")
	return h
}

func (h *host) put(name, text string) {
	h.t.Helper()
	file := filepath.Join(h.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) generate() {
	h.t.Helper()
	h.daemon.told = difference{}
	if err := generate(h.t.Context(), h.options, &h.daemon, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
		h.t.Fatalf("generate: %v", err)
	}
}

func (h *host) files() []string {
	h.t.Helper()
	var out []string
	for name := range contents(h.t, filepath.Join(h.root, unitDir)) {
		out = append(out, name)
	}
	return out
}

func (h *host) faults() string {
	h.t.Helper()
	faults, err := healthfile.ReadAll(h.health)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, f := range faults {
		out = append(out, f.Detail)
	}
	return strings.Join(out, "\n")
}

const (
	dhcpOnOne = "version = 1\n[eth0]\ndhcp4 = true\n"
	aBond     = "[settings.network]\ninterfaces = { b = { dhcp4 = { enabled = true }, bond = { mode = \"%s\", interfaces = [\"eth0\"] } } }\n"
)

func (h *host) want(what string, files, gone []string, faults string) {
	h.t.Helper()
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff(files, h.files(), sorted, cmpopts.EquateEmpty()); diff != "" {
		h.t.Errorf("%s: files (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(gone, h.daemon.told.gone, cmpopts.EquateEmpty()); diff != "" {
		h.t.Errorf("%s: interfaces that are to go (-want +got):\n%s", what, diff)
	}
	if got := h.faults(); faults == "" && got != "" || !strings.Contains(got, faults) {
		h.t.Errorf("%s: faults %q, want %q", what, got, faults)
	}
}

// The life of a node: each description takes the place of the one before it,
// and what the node had made for that goes with it.
func TestGenerate(t *testing.T) {
	h := newHost(t)
	h.generate()
	h.want("nothing described", nil, nil, "")
	h.put("run/systemd/network/70-other.network", "[Match]\nName=x\n") // not ours

	h.put("var/lib/bulkhead/net.toml", dhcpOnOne)
	h.generate()
	h.want("net.toml", []string{"10-eth0.network", "70-other.network", "80-wired.network"}, nil, "")
	h.generate()
	if !h.daemon.told.isEmpty() {
		t.Errorf("generate once more: changes %+v, want none", h.daemon.told)
	}

	bonded := []string{"10-b.netdev", "10-b.network", "10-eth0.network", "70-other.network", "80-wired.network"}
	h.put("etc/network-config.toml", strings.ReplaceAll(aBond, "%s", "active-backup"))
	h.generate()
	h.want("settings", bonded, nil, "")
	h.put("etc/network-config.toml", strings.ReplaceAll(aBond, "%s", "802.3ad"))
	h.generate()
	h.want("another mode", bonded, []string{"b"}, "")

	h.put("etc/network-config.toml", "# nothing is set\n")
	h.generate()
	h.want("settings unset", []string{"10-eth0.network", "70-other.network", "80-wired.network"}, []string{"b"}, "")

	h.put("var/lib/bulkhead/net.toml", "version = 9\n")
	h.generate()
	h.want("useless description", []string{"70-other.network"}, nil, "the version is 9")

	h.put("var/lib/bulkhead/net.toml", dhcpOnOne)
	h.daemon.err = errors.New("nobody listens")
	h.generate()
	h.want("daemon that does not answer", []string{"10-eth0.network", "70-other.network", "80-wired.network"}, nil, "nobody listens")
}

func TestSetHostname(t *testing.T) {
	long := strings.Repeat("a", 63) + ".example.org"
	tests := []struct{ name, in, want, err string }{
		{name: "usual", in: "node1.example.org\n", want: "node1.example.org"},
		{name: "too long for the kernel", in: long, want: strings.Repeat("a", 63)},
		{name: "no name", in: "Node 1\n", err: `host name "Node 1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "hostname")
			if err := os.WriteFile(file, []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			var got string
			err := setHostname(file, func(s string) error { got = s; return nil })
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("setHostname of %q = %q, %v, want %q, %q", tt.in, got, err, tt.want, tt.err)
			}
		})
	}
	if err := setHostname(filepath.Join(t.TempDir(), "none"), nil); err != nil {
		t.Errorf("setHostname of no file: %v, want nothing", err)
	}
}

// Both commands that only look say what is wrong and change nothing.
func TestShowAndValidate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"good": dhcpOnOne, "bad": "version = 1\n[eth0]\ndhcp5 = true\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		args     []string
		out, err string
	}{
		{name: "show", args: []string{"show", filepath.Join(dir, "good")}, out: "==> 10-eth0.network <=="},
		{name: "validate", args: []string{"validate", filepath.Join(dir, "good")}, out: "good: 1 interfaces, no faults"},
		{name: "fault", args: []string{"validate", filepath.Join(dir, "bad")}, err: "bad:3:1: eth0.dhcp5: a device has no such key"},
		{name: "no command", err: "want a command: generate, show, validate or set-hostname"},
		{name: "too much", args: []string{"show", "a", "b"}, err: "accepts at most 1 arg(s), received 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			cmd := Command()
			cmd.SetArgs(tt.args)
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			err := cmd.ExecuteContext(t.Context())
			text := ""
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(out.String(), tt.out) || (text == "") != (tt.err == "") || !strings.Contains(text, tt.err) {
				t.Errorf("network-config %q: output %q, error %q, want %q, %q", tt.args, out.String(), text, tt.out, tt.err)
			}
		})
	}
}
