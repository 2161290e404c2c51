package containernet

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// role is the variable with which this program is a machine of its own in the
// tests.
const role = "CONTAINERNET_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "container":
		serve()
	case "outside":
		ask()
	}
}

// serve says its name to whoever connects to port 80, once it has a network.
func serve() {
	bufio.NewReader(os.Stdin).ReadString('\n')
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		panic(err)
	}
	fmt.Println("listens")
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "%s sees %s", os.Args[1], conn.RemoteAddr().(*net.TCPAddr).IP)
		conn.Close()
	}
}

// ask connects to each address it is told, and says what it was answered.
func ask() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "" {
			continue
		}
		address, hopeless := strings.CutPrefix(in.Text(), "!")
		limit := 20 * time.Second
		if hopeless {
			limit = time.Second
		}
		conn, err := net.DialTimeout("tcp4", address, limit)
		if err != nil {
			fmt.Println("no answer")
			continue
		}
		data, _ := io.ReadAll(conn)
		conn.Close()
		fmt.Println(string(data))
	}
}

// A peer is a machine with a network of its own.
type peer struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func newPeer(t *testing.T, what, name string) *peer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, name)
	cmd.Env = append(os.Environ(), role+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &peer{cmd, in, bufio.NewReader(out)}
}

// say tells the machine a line and returns what it answers.
func (p *peer) say(t *testing.T, line string) string {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatal(err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

// node makes the thread of the test a machine of its own, with a neighbour.
func node(t *testing.T) *peer {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it takes root's rights to make networks")
	}
	runtime.LockOSThread() // and never unlocked
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("no network can be made: ", err)
	}
	c, err := open(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.do(up("lo", 1)); err != nil {
		t.Fatal(err)
	}
	if err := (state{Subnet: subnets[0]}).filter(); err != nil {
		t.Skip("the kernel has no filter: ", err)
	}
	outside := newPeer(t, "outside", "")
	if err := plugTwo(c, "uplink", outside.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	link, err := net.InterfaceByName("uplink")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.do(addAddress("uplink", link.Index, netip.MustParsePrefix("192.0.2.1/24"))); err != nil {
		t.Fatal(err)
	}
	if err := configure(outside.cmd.Process.Pid, netip.MustParsePrefix("192.0.2.2/24"), netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	// As nodes do.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		t.Skip("packets cannot be forwarded: ", err)
	}
	return outside
}

// plugTwo makes a pair of interfaces without a bridge.
func plugTwo(c conn, name string, pid int) error {
	other := append(link(0, 0), attributes(text(unix.IFLA_IFNAME, inside), number(unix.IFLA_NET_NS_PID, uint32(pid)))...)
	return c.do(message{
		what: "connect " + name, kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
		body: append(link(0, unix.IFF_UP), attributes(text(unix.IFLA_IFNAME, name),
			nested(unix.IFLA_LINKINFO, text(unix.IFLA_INFO_KIND, "veth"), nested(unix.IFLA_INFO_DATA, attribute{vethPeer, other})))...),
	})
}

// A container is reached at the ports that are forwarded and at no others, from
// outside, from the node and from others, and reaches the outside.
func TestNetwork(t *testing.T) {
	outside := node(t)
	n := Network{Dir: t.TempDir()}
	addresses := map[string]Lease{}
	containers := map[string]*peer{}
	for i, name := range []string{"one", "two"} {
		l, err := n.Reserve(name)
		if err != nil {
			t.Fatal(err)
		}
		addresses[name] = l
		p := newPeer(t, "container", name)
		containers[name] = p
		if err := n.Connect(name, p.cmd.Process.Pid, []Port{{Host: uint16(8080 + i), Container: 80, Protocol: "tcp"}}); err != nil {
			t.Fatalf("Connect(%s): %v", name, err)
		}
		if got := p.say(t, ""); got != "listens" {
			t.Fatalf("container %s: %s", name, got)
		}
	}
	for at, want := range map[string]string{
		"192.0.2.1:8080": "one sees 192.0.2.2", "192.0.2.1:8081": "two sees 192.0.2.2",
	} {
		if got := outside.say(t, at); got != want {
			t.Errorf("answer at %s: %q, want %q", at, got, want)
		}
	}
	dial := func(at string) string {
		conn, err := net.DialTimeout("tcp4", at, 20*time.Second)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		data, _ := io.ReadAll(conn)
		return string(data)
	}
	if got, want := dial("192.0.2.1:8080"), "one sees 192.0.2.1"; got != want {
		t.Errorf("answer to the node: %q, want %q", got, want)
	}
	if got, want := dial(addresses["two"].Address.Addr().String()+":80"), "two sees 10.88.0.1"; got != want {
		t.Errorf("answer to the node at the address of the container: %q, want %q", got, want)
	}
	if got := outside.say(t, "!"+addresses["two"].Address.Addr().String()+":80"); got != "no answer" {
		t.Errorf("answer to the outside at the address of the container: %q, want none", got)
	}
	if err := n.Release("one"); err != nil {
		t.Fatal(err)
	}
	if got, want := outside.say(t, "192.0.2.1:8081"), "two sees 192.0.2.2"; got != want {
		t.Errorf("answer after another container has gone: %q, want %q", got, want)
	}
	if got := outside.say(t, "192.0.2.1:8080"); got != "no answer" {
		t.Errorf("answer for a container that has gone: %q, want none", got)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	want := fmt.Sprintf("port %d of the node for tcp: it is in use on the node", port)
	if err := (Port{Host: port, Container: 1, Protocol: "tcp"}).check(); fmt.Sprint(err) != want {
		t.Errorf("check of a port in use: %v, want %s", err, want)
	}
}

// Places are kept until they are given back, by all that share a directory.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	var got []int
	for _, name := range []string{"a", "b", "a"} {
		l, err := (Network{Dir: dir}).Reserve(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Index)
	}
	if diff := cmp.Diff([]int{2, 3, 2}, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if _, ok, err := (Network{Dir: dir}).Address("c"); ok || err != nil {
		t.Errorf("Address of a container without place: %v, %v, want none", ok, err)
	}
}

func TestFirstFree(t *testing.T) {
	of := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	tests := []struct {
		name string
		own  []net.Addr
		want string
	}{
		{"alone", nil, "10.88.0.0/24"},
		{"in the first", []net.Addr{of("10.0.0.5/8")}, "172.29.88.0/24"},
		{"in all", []net.Addr{of("10.0.0.5/8"), of("172.16.0.1/12"), of("192.168.0.1/16")}, "10.88.0.0/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := firstFree(tt.own); got.String() != tt.want {
				t.Errorf("firstFree(%v) = %s, want %s", tt.own, got, tt.want)
			}
		})
	}
}
