package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/platform"
	"github.com/bulkhead-os/bulkhead/sources/platform/imds"
)

// A given source has what it is given.
type given struct {
	name string
	data platform.Data
}

func (g given) Name() string { return g.name }

func (g given) Read(context.Context) (platform.Data, error) { return g.data, nil }

func text(name, motd string) given {
	return given{name, platform.Data{UserData: []byte("[settings]\nmotd = \"" + motd + "\"\n")}}
}

// boot runs the program for a stage, with the sources.
func (n *node) bootStage(s stage, sources ...Source) *run {
	n.t.Helper()
	r := n.newRun(sources...)
	r.stage = s
	if err := r.run(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	return r
}

// What counts more is taken later, setting by setting.
func TestPrecedence(t *testing.T) {
	n := start(t)
	low := given{"the disc", platform.Data{UserData: []byte("[settings]\nmotd = \"low\"\nntp.time-servers = [\"low.example.org\"]\n")}}
	n.boot(low, text("the host", "high"))
	want := `{"motd":"high","ntp":{"time-servers":["low.example.org"]}}`
	if got := n.user(); got != want {
		t.Errorf("settings of two sources: %s, want %s", got, want)
	}
	n.bootStage(networkStage, text("the network", "highest"))
	if got := n.user(); !strings.Contains(got, `"motd":"highest"`) {
		t.Errorf("settings after the stage of the network: %s, want motd highest", got)
	}
	if got := n.read("etc/motd"); got != "highest\n" {
		t.Errorf("motd after the stage of the network: %q, want that it was applied", got)
	}
	var from []string
	for _, m := range n.history() {
		name, _, _ := strings.Cut(m, ", sha256")
		from = append(from, name)
	}
	if diff := cmp.Diff([]string{"user data of the network", "user data of the host", "user data of the disc"}, from); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// A stage takes user data once. What others give later is reported.
func TestChangedLater(t *testing.T) {
	tests := []struct {
		name  string
		later []Source
		want  []string
	}{
		{name: "the same", later: []Source{text("the host", "first")}},
		{name: "gone"},
		{name: "no longer to be read", later: []Source{brokenSource{}}},
		{name: "changed", later: []Source{text("the host", "second")}, want: []string{"the host has other user data now than when"}},
		{name: "new", later: []Source{text("the host", "first"), text("the disc", "x")}, want: []string{"the disc has user data now, and had none when"}},
		{
			name:  "of another instance",
			later: []Source{given{"the host", platform.Data{UserData: text("", "first").data.UserData, InstanceID: "i-2"}}},
			want:  []string{`the host is for another instance now: "i-2", was "" when`},
		},
	}
	for _, s := range []stage{localStage, networkStage} {
		for _, tt := range tests {
			t.Run(s.name+", "+tt.name, func(t *testing.T) {
				n := start(t)
				n.bootStage(s, text("the host", "first"))
				r := n.bootStage(s, tt.later...)
				if got := n.user(); got != `{"motd":"first"}` {
					t.Errorf("settings: %s, want those of the first boot", got)
				}
				var got []string
				for _, f := range r.faults {
					sentence, _, _ := strings.Cut(f.Detail, " the node took its own, on ")
					got = append(got, sentence)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("faults (-want +got):\n%s", diff)
				}
				h, err := n.api.Health(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range h.Faults {
					if f.Severity != "info" {
						t.Errorf("fault %v, want an information at most", f)
					}
				}
			})
		}
	}
}

// The first boot waits for the stage of the network, a later one does not.
func TestWhoWaits(t *testing.T) {
	n := start(t)
	var settings []string
	boot := func(s Source) {
		r := n.newRun(s)
		r.stage = networkStage
		r.ready = func() { settings = append(settings, n.user()) }
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	boot(text("the network", "mine"))
	boot(asked{func() { settings = append(settings, "asked") }})
	if diff := cmp.Diff([]string{`{"motd":"mine"}`, `{"motd":"mine"}`, "asked"}, settings); diff != "" {
		t.Errorf("settings whenever the boot goes on (-want +got):\n%s", diff)
	}
}

type asked struct{ ask func() }

func (asked) Name() string { return "the network" }

func (a asked) Read(context.Context) (platform.Data, error) {
	a.ask()
	return platform.Data{}, nil
}

// A power cut between two sources loses neither of them.
func TestPowerCutBetweenSources(t *testing.T) {
	n := start(t)
	n.boot(text("the disc", "one"))
	if err := os.Remove(n.path("var/lib/bulkhead/provision/user-data.json")); err != nil {
		t.Fatal(err)
	}
	second := given{"the host", platform.Data{UserData: []byte("[settings]\nntp.time-servers = [\"a.example.org\"]\n")}}
	n.boot(text("the disc", "one"), second)
	if got, want := n.user(), `{"motd":"one","ntp":{"time-servers":["a.example.org"]}}`; got != want {
		t.Errorf("settings: %s, want %s", got, want)
	}
}

// What a source says about the network counts less than its user data, and has
// faults of its own.
func TestNetworkBesideUserData(t *testing.T) {
	const net = "version = 3\n[eth0]\ndhcp4 = true\nprimary = true\n[eth1]\ndhcp5 = true\n"
	n := start(t)
	n.boot(given{"the disc", platform.Data{Network: []byte(net), UserData: []byte("[settings]\nmotd = \"hi\"\nmtod = 1\n")}})
	got := n.user()
	if !strings.Contains(got, `"motd":"hi"`) || !strings.Contains(got, `"eth0":{"dhcp4":`) {
		t.Errorf("settings: %s, want motd and eth0", got)
	}
	faults := strings.Join(n.faults(), "\n")
	if !strings.Contains(faults, "net.toml:6:1: ") || !strings.Contains(faults, "user-data:3:1: ") {
		t.Errorf("faults: %s, want one of net.toml in line 6 and one of user-data in line 3", faults)
	}
}

// The network configuration of cloud-init is read as well.
func TestNetworkConfig(t *testing.T) {
	for _, in := range []string{"version: 2\nethernets: {eth0: {dhcp4: true, dhcp5: true}}\n", "network:\n  version: 2\n  ethernets: {eth0: {dhcp4: true, dhcp5: true}}\n", `{"version": 2, "ethernets": {"eth0": {"dhcp4": true, "dhcp5": true}}}`} {
		n := start(t)
		n.boot(given{"the disc", platform.Data{Network: []byte(in)}})
		if got, want := n.user(), `{"network":{"interfaces":{"eth0":{"dhcp4":{"enabled":true}}}}}`; got != want {
			t.Errorf("settings of %q: %s, want %s", in, got, want)
		}
		if faults := strings.Join(n.faults(), "\n"); !strings.HasPrefix(faults, "network-config:") || !strings.Contains(faults, "dhcp5") {
			t.Errorf("faults of %q: %s, want one about dhcp5", in, faults)
		}
	}
}

// A wrong value in a description of the network costs that value, and has its
// place in the text.
func TestWrongNetwork(t *testing.T) {
	for _, in := range []string{"version: 2\nethernets:\n  eth0: {dhcp4: true, mtu: 5}\n", "version = 3\n[eth0]\ndhcp4 = true\n[eth0.static4]\naddresses = [\"x\"]\n"} {
		n := start(t)
		n.boot(given{"the disc", platform.Data{Network: []byte(in)}})
		if got := n.user(); !strings.Contains(got, `"dhcp4":{"enabled":true`) || strings.Contains(got, "mtu") {
			t.Errorf("settings of %q: %s, want DHCP and nothing wrong", in, got)
		}
		if faults := strings.Join(n.faults(), "\n"); !strings.Contains(faults, ":3:") && !strings.Contains(faults, ":5:") {
			t.Errorf("faults of %q: %s, want one with its place", in, faults)
		}
	}
}

// So is what OpenStack says of it.
func TestNetworkData(t *testing.T) {
	n := start(t)
	const in = `{"links": [{"id": "tap1", "type": "ovs", "ethernet_mac_address": "52:54:00:00:00:01"}],
 "networks": [{"id": "network0", "link": "tap1", "type": "ipv4", "ip_address": "192.0.2.2", "netmask": "255.255.255.0", "routes": [
 {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "not one"}]}]}`
	n.boot(given{"the disc", platform.Data{Network: []byte(in)}})
	want := `{"network":{"interfaces":{"tap1":{"addresses":["192.0.2.2/24"],"match":{"mac":"52:54:00:00:00:01"}}}}}`
	if got := n.user(); got != want {
		t.Errorf("settings: %s, want %s", got, want)
	}
	if faults := strings.Join(n.faults(), "\n"); !strings.HasPrefix(faults, "network_data.json:3:") || !strings.Contains(faults, "routes") {
		t.Errorf("faults: %s, want one about the route in line 3", faults)
	}
}

// Others are told what the machine is called, and that there is more to do.
func TestTold(t *testing.T) {
	n := start(t)
	r := n.newRun(given{"the disc", platform.Data{Hostname: "n1", InstanceID: "i-1"}})
	r.later, r.machine = true, platform.Machine{Kind: platform.EC2, UUID: "u"}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var m Machine
	if err := json.Unmarshal([]byte(n.read("run/bulkhead/provision/machine.json")), &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Machine{Kind: platform.EC2, UUID: "u", Hostname: "n1", Instance: "i-1"}, m); diff != "" {
		t.Errorf("machine (-want +got):\n%s", diff)
	}
	mark := n.path("run/bulkhead/provision/network-sources")
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
	n.boot()
	if _, err := os.Stat(mark); err == nil {
		t.Error("the stage of the network has something to do, want nothing")
	}
}

// What the platform calls the machine becomes its name, also when there is no
// user data.
func TestHostnameOfPlatform(t *testing.T) {
	n := start(t)
	n.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	for _, s := range []stage{localStage, networkStage} {
		r := n.newRun()
		r.stage, r.sources = s, nil
		if s == networkStage {
			r.sources = []Source{given{"the network", platform.Data{Hostname: "Node-1", InstanceID: "i-1"}}}
		}
		r.runner = options{root: n.root}.newRunner(r)
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o := n.origin("settings.network.hostname")
	if string(o.Value) != `"node-1"` || o.Generator != "platform-hostname" {
		t.Errorf("host name: %+v, want that of the platform", o)
	}
	if got := n.read("etc/hostname"); strings.TrimSpace(got) != "node-1" {
		t.Errorf("hostname: %q, want that the name was applied", got)
	}
}

// stuck never answers, as a drive that is broken.
type stuck struct{ until chan struct{} }

func (stuck) Name() string { return "the drive" }

func (s stuck) Read(context.Context) (platform.Data, error) {
	<-s.until
	return platform.Data{}, nil
}

func TestStuckSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drive := stuck{make(chan struct{})}
		began := time.Now()
		var told []string
		slow := func(names string, after time.Duration) { told = append(told, fmt.Sprint(after, ": ", names)) }
		got := readAll(t.Context(), []Source{drive, text("the host", "x"), brokenSource{}}, 20*time.Second, slow)
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("readAll took %s, want about 20s", took)
		}
		if got[0].err == nil || got[0].err.Error() != "no answer within 20s" {
			t.Errorf("the drive: %v, want no answer", got[0].err)
		}
		if len(got) != 3 || len(got[1].data.UserData) == 0 || got[2].err == nil {
			t.Errorf("readAll: %v, want the answers of the others", got)
		}
		if diff := cmp.Diff([]string{"10s: " + drive.Name()}, told); diff != "" {
			t.Errorf("what is told meanwhile (-want +got):\n%s", diff)
		}
		close(drive.until)
	})
}

// A patient source tries again and again.
type patient struct{ err error }

func (patient) Name() string { return "the service" }

func (patient) Where() string { return "192.0.2.1" }

func (p patient) Read(ctx context.Context) (platform.Data, error) {
	return platform.Data{}, platform.Retry(ctx, func(context.Context) error { return &platform.Later{Err: p.err} })
}

// While a source does not answer the console is told which, and why.
func TestSilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &url.Error{Op: "Put", URL: "http://192.0.2.1/latest/api/token", Err: errors.New("network is unreachable")}
		sources := []Source{text("the host", "x"), patient{errors.Join(down, errors.New("nor by IPv6"))}}
		if got, want := names(sources), "the host; the service, 192.0.2.1"; got != want {
			t.Errorf("names: %q, want %q", got, want)
		}
		var told []string
		slow := func(names string, after time.Duration) { told = append(told, span(after)+": "+names) }
		got := readAll(t.Context(), sources, 2*time.Minute, slow)
		const what = ": the service (network is unreachable)"
		if diff := cmp.Diff([]string{"10s" + what, "40s" + what, "1m10s" + what, "1m40s" + what}, told); diff != "" {
			t.Errorf("what is told meanwhile (-want +got):\n%s", diff)
		}
		if len(got) != 2 || got[1].err == nil || !strings.HasPrefix(got[1].err.Error(), "gave up after ") {
			t.Errorf("readAll: %v, want that the service was given up", got)
		}
	})
}

// Which places are looked at depends on the machine.
func TestPlaces(t *testing.T) {
	tests := []struct {
		name, vendor, variant, cmdline string
		want                           []string // of the network
	}{
		{name: "EC2", vendor: "Amazon EC2", variant: "qemu-dev", want: []string{"the metadata service"}},
		{name: "a maker nobody knows", vendor: "ACME", variant: "aws-dev", want: []string{"the metadata service"}},
		{name: "not EC2", vendor: "QEMU", variant: "aws-dev"},
		{name: "QEMU", vendor: "QEMU", variant: "qemu-dev"},
		{name: "no firmware", variant: "metal-dev"},
		{
			name: "an address", vendor: "QEMU", variant: "qemu-dev", cmdline: "quiet bulkhead.user-data-url=https://x/y",
			want: []string{"the address on the kernel command line"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{
				"sys/class/dmi/id/sys_vendor": tt.vendor + "\n", "usr/lib/os-release": "VARIANT_ID=" + tt.variant + "\n", "proc/cmdline": tt.cmdline + "\n",
			}
			for name, text := range files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p := newPlace(root)
			var got []string
			for _, s := range p.network() {
				got = append(got, s.Name())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sources of the network (-want +got):\n%s", diff)
			}
			for _, s := range p.local(options{root: root}) {
				if _, err := s.Read(t.Context()); err != nil {
					t.Errorf("%s of a machine that has nothing: %v", s.Name(), err)
				}
			}
		})
	}
}

// A source that its owner has switched off makes no node degraded, at no boot.
func TestSourceSwitchedOff(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer service.Close()
	n := start(t)
	n.boot(text("the host", "mine"))
	for range 2 {
		n.bootStage(networkStage, imds.Source{Client: imds.New(service.URL)})
		h, err := n.api.Health(t.Context())
		if err != nil || h.Status != "ok" || len(h.Faults) != 1 {
			t.Fatalf("health: %+v, %v, want ok with an information", h, err)
		}
		want := "provision-network: info: the metadata service gives no user data: ask the metadata service for user-data: " +
			"the metadata service forbids it: it is switched off for this instance (switch it on for user data from there)"
		if got := h.Faults[0].String(); got != want {
			t.Errorf("fault: %q, want %q", got, want)
		}
	}
}

// No source of a stage that fails keeps the node from being configured.
func TestFailedNetwork(t *testing.T) {
	n := start(t)
	n.boot(text("the host", "mine"))
	r := n.newRun(brokenSource{})
	r.stage = networkStage
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"provision-network: read the disc: scratched (correct it and reboot)"}, n.faults()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(n.path("var/lib/bulkhead/provision/network-user-data.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("record of a stage that took nothing: %v, want none", err)
	}
	if _, err := os.Stat(filepath.Join(n.path(healthfile.Dir), "provision.json")); err != nil {
		t.Errorf("report of the other stage: %v, want that it stays", err)
	}
}
