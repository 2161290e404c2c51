package boottest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/tools/boot"
	"github.com/bulkhead-os/bulkhead/tools/bootprobe"
	"github.com/bulkhead-os/bulkhead/tools/probe"
	"github.com/bulkhead-os/bulkhead/tools/vm"
	"github.com/bulkhead-os/bulkhead/tools/vmnet"
)

// APIPort is where nodes serve the remote API.
const APIPort = 8443

// Options say how a node is booted. The zero Options boot it without firmware,
// with one processor and the settings that make its API reachable.
type Options struct {
	UserData string // TOML, behind the settings of the remote API
	Local    bool   // without those: nothing of the node is reached
	CPUs     int    // 1 if zero
	Memory   int    // in MiB; 1024 if zero
	Firmware bool   // start with firmware and boot loader instead of the kernel
	// SecureBoot is a file of firmware variables, see vm.Machine; with Firmware.
	SecureBoot string
	OnReboot   vm.Reboot
	Append     string // words for the kernel command line; without Firmware
	Probe      bool   // look at it from inside, see Facts; without Firmware
	// Give puts the user data where the node finds it; nil for a credential.
	Give func(m *vm.Machine, text string) error
	// Cards is how many network cards it has, all in the same network; 1 if zero.
	Cards int
	// VLAN is the number of the only VLAN that the network carries; 0 for none.
	VLAN uint16
	// Clock is what its clock says, see vm.Machine.
	Clock string
	// Services serve what the node reaches at addresses such as
	// 169.254.169.254:80. Each ends when its listener is closed.
	Services map[string]func(net.Listener) error
}

// A Node is a machine that was switched on. It is switched off at the end of its
// test at the latest.
type Node struct {
	API      *client.Client // as an admin
	Endpoint string         // where the API over the network is reached from here

	t    testing.TB
	disk *Disk
	vm   *vm.VM
	net  *vmnet.Network
	host vmnet.Host
	name string // of its logs

	services sync.WaitGroup

	once sync.Once // guards the way off
	free func()    // gives back what the node took of the computer
}

// host is what nodes are called.
const hostName = "node"

// Boot switches a node on that has the disk d.
func (d *Disk) Boot(opt Options) *Node {
	d.t.Helper()
	d.starts++
	if opt.CPUs == 0 {
		opt.CPUs = 1
	}
	n := &Node{t: d.t, disk: d, host: vmnet.NewHost(0, hostName), name: fmt.Sprintf("%s/boot-%d", d.t.Name(), d.starts)}
	identity, err := d.identify()
	d.must(err)
	m, err := d.machine(opt, identity)
	d.must(err)
	n.free, err = d.lab.takeTurn(opt.CPUs)
	d.must(err)
	d.t.Cleanup(n.end)
	n.net, err = vmnet.New([]vmnet.Host{n.host})
	d.must(err)
	for address, serve := range opt.Services {
		l, err := n.net.Listen(address)
		d.must(err)
		n.services.Go(func() { _ = serve(l) }) // ends with the network
	}
	m.NIC = &vm.NIC{MAC: n.host.MAC, Plug: n.plug(opt)}
	for i := 1; i < opt.Cards; i++ {
		m.More = append(m.More, vm.NIC{MAC: vmnet.NewHost(i, hostName).MAC, Plug: n.plug(opt)})
	}
	// Not the test's context, which ends before logs are collected.
	n.vm, err = vm.Start(context.Background(), d.lab.Emulator, m)
	d.must(err)
	n.Endpoint, err = n.net.Forward("127.0.0.1:0", n.host, APIPort)
	d.must(err)
	n.API = &client.Client{Remote: &client.Remote{Endpoint: n.Endpoint, CA: d.authority.Bundle(), Certificate: identity.chain, Key: identity.key}}
	return n
}

// plug returns what connects a card of the node to its network.
func (n *Node) plug(opt Options) func(net.Conn) {
	if opt.VLAN == 0 {
		return n.net.Plug
	}
	return func(wire net.Conn) { n.net.Plug(vmnet.Trunk(wire, opt.VLAN)) }
}

func (d *Disk) machine(opt Options, id identity) (vm.Machine, error) {
	m := vm.Machine{
		Name: hostName, Dir: d.t.TempDir(), CPUs: opt.CPUs, Memory: cmp.Or(opt.Memory, 1024), SecureBoot: opt.SecureBoot, OnReboot: opt.OnReboot, Clock: opt.Clock,
		Disks: []vm.Disk{{Path: d.file, Write: vm.Keep}},
	}
	text := opt.UserData
	if !opt.Local {
		text = id.settings + text
	}
	switch {
	case opt.Give != nil:
		if err := opt.Give(&m, text); err != nil {
			return m, err
		}
	case text != "":
		m.Credentials = map[string]string{"bulkhead.user-data": text}
	}
	if opt.Firmware {
		m.Dir = d.firmware()
		return m, nil
	}
	k, err := boot.Kernel(d.lab.Image, opt.Append)
	if err == nil && opt.Probe {
		*k, err = bootprobe.Add(*k, d.lab.probe, d.t.TempDir())
	}
	m.Kernel = k
	return m, err
}

// Remote returns the settings, in TOML, with which nodes of the disk are reached.
func (d *Disk) Remote() string {
	d.t.Helper()
	id, err := d.identify()
	d.must(err)
	return id.settings
}

// An identity is whom a node shows and trusts, and how it is reached.
type identity struct {
	settings   string // of the node, as TOML
	chain, key []byte // of who talks to it
}

func (d *Disk) identify() (id identity, err error) {
	requests := []pki.Request{
		{Name: hostName, Role: pki.Server, Addresses: []string{"127.0.0.1", hostName}},
		{Name: "admin", Role: pki.Admin},
	}
	issued, err := d.authority.Issued()
	if err != nil {
		return id, err
	}
	for _, r := range requests {
		if len(issued) > 0 {
			break
		}
		if _, err := d.authority.Issue(r, false); err != nil {
			return id, err
		}
	}
	if id.chain, id.key, err = d.authority.Parts("admin"); err != nil {
		return id, err
	}
	chain, key, err := d.authority.Parts(hostName)
	if err != nil {
		return id, err
	}
	encode := base64.StdEncoding.EncodeToString
	id.settings = fmt.Sprintf("[settings.api.remote]\nenabled = true\nclient-ca = %q\nserver-certificate = %q\nserver-key = %q\n\n",
		encode(d.authority.Bundle()), encode(chain), encode(key))
	return id, nil
}

// end switches the node off if it is on, and keeps its logs if the test failed.
func (n *Node) end() {
	n.once.Do(func() {
		if n.t.Failed() && n.vm != nil {
			n.collect()
		}
		var err error
		if n.vm != nil {
			err = n.vm.Close()
		}
		if n.net != nil {
			err = errors.Join(err, n.net.Close())
		}
		n.services.Wait()
		n.free()
		if err != nil {
			n.t.Errorf("switch the node off: %v", err)
		}
	})
}

// CutPower switches the node off at once.
func (n *Node) CutPower() {
	n.t.Helper()
	n.end()
}

// CutPowerAfter lets the node run for a time and then switches it off.
func (n *Node) CutPowerAfter(d time.Duration) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), d)
	defer cancel()
	if err := n.vm.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		n.t.Fatalf("the node went off before its power was cut after %s: %v", d, err)
	}
	n.end()
}

// Shutdown has the node switch itself off and waits until it has.
func (n *Node) Shutdown() {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	if err := n.API.Shutdown(ctx); err != nil {
		n.t.Fatalf("Shutdown: %v", err)
	}
	n.AwaitOff()
}

// AwaitOff waits until the node has switched itself off.
func (n *Node) AwaitOff() {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	if err := n.vm.Wait(ctx); err != nil {
		n.t.Fatal(err)
	}
	n.end()
}

// Reboot has the node start anew, and waits until its API answers again and says
// that it is well.
func (n *Node) Reboot() {
	n.t.Helper()
	n.Restart()
	n.AwaitHealth("ok")
}

// Restart has the node start anew, and waits until it has booted, whatever is wrong.
func (n *Node) Restart() client.Health {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	was, err := n.API.Boot(ctx)
	if err == nil {
		err = n.API.Reboot(ctx)
	}
	if err == nil {
		_, err = n.API.AwaitBoot(ctx, was, func(error) {})
	}
	if err != nil {
		n.t.Fatalf("reboot: %v; the last lines of the console:\n%s", err, n.vm.Console.Tail())
	}
	return n.AwaitBooted()
}

// Await waits for a line of the console that contains one of texts, behind the
// line that the last call found.
func (n *Node) Await(texts ...string) vm.Line {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	line, err := n.vm.Console.Await(ctx, texts...)
	if err != nil {
		n.t.Fatal(err)
	}
	return line
}

// AwaitReady waits until the node says on its console that it is well.
func (n *Node) AwaitReady() vm.Line {
	n.t.Helper()
	line := n.Await(") is ready", ") is degraded")
	if !strings.Contains(line.Text, ") is ready") {
		n.t.Fatalf("the node says %q, want that it is ready; the last lines of the console:\n%s", line.Text, n.vm.Console.Tail())
	}
	return line
}

// Said reports whether the console has a line that contains text.
func (n *Node) Said(text string) bool {
	for _, l := range n.vm.Console.Lines() {
		if strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

// AwaitHealth waits until the API says that the node has the status.
func (n *Node) AwaitHealth(status string) client.Health {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	var last error
	h, err := n.API.AwaitHealth(ctx, func(h client.Health) bool { return h.Status == status }, func(_ client.Health, err error) { last = err })
	if err != nil {
		n.t.Fatalf("wait until the node is %s: %v (last %v, %+v); the last lines of the console:\n%s", status, err, last, h, n.vm.Console.Tail())
	}
	return h
}

// AwaitBooted waits until the API says that the boot is complete, whatever is wrong.
func (n *Node) AwaitBooted() client.Health {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	h, err := n.API.AwaitHealth(ctx, func(h client.Health) bool { return h.Status != "starting" }, func(client.Health, error) {})
	if err != nil {
		n.t.Fatalf("wait until the boot is complete: %v; the last lines of the console:\n%s", err, n.vm.Console.Tail())
	}
	return h
}

// Facts waits for what the probe finds.
func (n *Node) Facts() probe.Facts {
	n.t.Helper()
	line := n.Await(probe.Found)
	f, err := probe.Parse(line.Text)
	if err != nil {
		n.t.Fatal(err)
	}
	return f
}

// Dial connects to an address in the network of the node, as another node would.
func (n *Node) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.net.Dial(ctx, address)
}

// Forward returns an address of this computer where a port of the node is reached.
func (n *Node) Forward(port uint16) string {
	n.t.Helper()
	address, err := n.net.Forward("127.0.0.1:0", n.host, port)
	if err != nil {
		n.t.Fatal(err)
	}
	return address
}

// CardMAC returns the address of a network card of a node, of which the first is 0.
func CardMAC(i int) string { return vmnet.NewHost(i, hostName).MAC }

// Address returns the address that a node is reached at in its network.
func Address() string { return vmnet.NewHost(0, hostName).Addr.String() }

// Carry says whether one of the network cards has a link.
func (n *Node) Carry(card int, link bool) {
	n.t.Helper()
	if err := n.vm.Carry(card, link); err != nil {
		n.t.Fatal(err)
	}
}

// InjectNMI presses the button for emergencies that servers have.
func (n *Node) InjectNMI() {
	n.t.Helper()
	if err := n.vm.InjectNMI(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *Node) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(n.t.Context(), Patience)
}

// collect keeps the logs of a node whose test failed.
func (n *Node) collect() {
	dir := n.disk.lab.Root.Path("build", "test-logs", filepath.FromSlash(n.name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Errorf("keep the logs: %v", err)
		return
	}
	var console strings.Builder
	for _, l := range n.vm.Console.Lines() {
		fmt.Fprintln(&console, l)
	}
	err := os.WriteFile(filepath.Join(dir, "console.txt"), []byte(console.String()), 0o644)
	if journal := n.journal(); journal != "" {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "journal.txt"), []byte(journal), 0o644))
	}
	if err != nil {
		n.t.Errorf("keep the logs: %v", err)
	}
	n.t.Logf("the logs of the node are in %s", dir)
}
