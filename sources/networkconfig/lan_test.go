package networkconfig_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/internal/nsboot"
)

// patience is how long anything may take. A daemon that asks for addresses waits
// longer and longer between its questions.
const patience = 2 * time.Minute

// within waits until done returns "", which else says what is not as it should be.
func within(t *testing.T, what string, done func() string) {
	t.Helper()
	var why string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if why = done(); why == "" {
			return
		}
	}
	t.Fatalf("%s is not so after %s: %s", what, patience, why)
}

// A lan is a network namespace with what serves the networks of a machine: the
// other ends of its cables, dnsmasq and radvd.
type lan struct {
	t   *testing.T
	pid int // of a process that keeps the namespace
	dir string
}

// A cable leads from an interface of a machine to a port of a lan.
type cable struct{ name, mac, port, far string }

// The cables of the machine, with the addresses of the ports.
var (
	first    = cable{"eth0", "02:00:00:00:00:0a", "port0", "02:00:00:00:00:01"}
	second   = cable{"eth1", "02:00:00:00:00:0b", "port1", "02:00:00:00:00:02"}
	networks = map[string][]string{
		first.port:  {"192.0.2.1/24", "fd00:a::1/64"},
		second.port: {"198.51.100.1/24", "192.0.2.2/32", "fd00:b::1/64"},
	}
)

// newLAN returns a lan that machine m is connected to.
func newLAN(t *testing.T, m *nsboot.Machine) *lan {
	t.Helper()
	for _, program := range []string{"ip", "ping", "dnsmasq", "radvd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("there is no " + program + " (Debian packages iproute2, iputils-ping, dnsmasq-base, radvd)")
		}
	}
	keeper := exec.Command("sleep", "infinity")
	keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := keeper.Start(); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = keeper.Process.Kill()
		_ = keeper.Wait()
	})
	l := &lan{t: t, pid: keeper.Process.Pid, dir: t.TempDir()}
	l.run("ip", "link", "set", "lo", "up")
	for _, c := range []cable{first, second} {
		l.run("ip", "link", "add", c.port, "address", c.far, "type", "veth", "peer", "name", c.name, "address", c.mac, "netns", strconv.Itoa(m.PID))
		for _, a := range networks[c.port] {
			words := []string{"ip", "address", "add", a, "dev", c.port}
			if strings.Contains(a, ":") {
				words = append(words, "nodad") // it is used at once
			}
			l.run(words...)
		}
		l.run("ip", "link", "set", c.port, "up")
	}
	// radvd speaks for routers, and a port only for its own addresses.
	l.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
	return l
}

// in returns a command that runs in the network namespace of a process.
func in(ctx context.Context, pid int, words ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(pid), "--net", "--"}, words...)...)
}

func (l *lan) run(words ...string) {
	l.t.Helper()
	if out, err := in(l.t.Context(), l.pid, words...).CombinedOutput(); err != nil {
		l.t.Fatalf("%q: %v\n%s", words, err, out)
	}
}

// reaches says why an address does not answer a port, from one of whose addresses
// it is asked, or "".
func (l *lan) reaches(port, from, address string) string {
	out, err := in(l.t.Context(), l.pid, "ping", "-n", "-c1", "-W1", "-I", port, "-I", from, address).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("ping of %s from %s over %s: %v\n%s", address, from, port, err, out)
	}
	return ""
}

// serve starts dnsmasq and radvd for the first network. The machine always gets
// the same addresses.
func (l *lan) serve() {
	l.t.Helper()
	l.start("dnsmasq", "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--user=root", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--pid-file=",
		"--log-queries", "--log-dhcp", "--interface="+first.port, "--bind-dynamic", "--dhcp-authoritative", "--no-ping", "--leasefile-ro",
		"--dhcp-range=192.0.2.100,192.0.2.200,255.255.255.0,2m", "--dhcp-range=fd00:a::100,fd00:a::200,64,2m",
		"--dhcp-host="+first.mac+",192.0.2.50,[fd00:a::50],other-name",
		"--dhcp-option=option:mtu,1400", "--dhcp-option=option:router,192.0.2.1", "--dhcp-option=option:dns-server,192.0.2.1", "--dhcp-option=option:domain-name,four.example",
		"--dhcp-option=option6:dns-server,[fd00:a::1]", "--dhcp-option=option6:domain-search,six.example",
		"--host-record=of-four.four.example,192.0.2.77", "--host-record=of-six.six.example,fd00:a::77", "--host-record=of-ra.ra.example,fd00:a::78",
		"--host-record=of-settings.static.example,192.0.2.79", "--local=/example/",
	)
	config := filepath.Join(l.dir, "radvd.conf")
	text := "interface " + first.port + " {\n AdvSendAdvert on; AdvManagedFlag on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvLinkMTU 1380;\n" +
		" prefix fd00:a::/64 { AdvOnLink on; AdvAutonomous on; };\n route fd00:c::/48 { };\n RDNSS fd00:a::1 { };\n DNSSL ra.example { };\n};\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
	l.start("radvd", "radvd", "--nodaemon", "--logmethod=stderr", "--config="+config, "--pidfile="+filepath.Join(l.dir, "radvd.pid"))
}

// start starts a daemon that ends with the test.
func (l *lan) start(name string, words ...string) {
	l.t.Helper()
	log, err := os.Create(filepath.Join(l.dir, name+".log"))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := in(ctx, l.pid, words...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		cancel()
		l.t.Fatalf("start %s: %v", name, err)
	}
	l.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && l.t.Failed() {
			l.t.Logf("%s:\n%s", name, tail(string(text)))
		}
	})
}

// tail returns the end of a long text.
func tail(s string) string {
	const most = 6000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}
