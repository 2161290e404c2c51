package cluster_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/cluster"
)

func TestTwoMachines(t *testing.T) {
	l := newLab(t)
	long := strings.Repeat("x", 40_000)
	first, second := l.spec(1), l.spec(2)
	first.Credentials = map[string]string{"b": "one\ntwo,three", "a": long}
	one, two := l.start(first), l.start(second)
	a, b := l.sit(one.Name), l.sit(two.Name)
	a.await(`guest: credentials: a="40000 bytes" b="one\ntwo,three"`)
	a.await("guest: address: 192.168.127.10")
	a.await("guest: ready")
	b.await("guest: address: 192.168.127.11")
	b.await("guest: ready")
	for _, m := range []cluster.Status{one, two} {
		addr, _ := m.Forwarded(8443)
		want := fmt.Sprintf("%s:8443 heard 1000000 bytes, <nil>: hello", m.Addr)
		if got := ask(t, addr, "hello"+strings.Repeat("\n", 999_995)); !strings.HasPrefix(got, want) {
			t.Errorf("%s at %s answers %q, want %q", m.Name, addr, got, want)
		}
	}
	a.do("look lab-2.vm.internal", "guest: lab-2.vm.internal: [192.168.127.11]")
	a.do("look lab-3.vm.internal", "guest: lab-3.vm.internal: [192.168.127.12]")
	a.do("look nobody.vm.internal", "no such host")
	a.do("call 192.168.127.11:8443 hi", "guest: answer: 192.168.127.11:8443 heard 2 bytes, <nil>: hi")
	a.do("call "+l.serveHere(), "guest: answer: here")

	b.do("restart", "guest: ready") // in place, in the same network
	if got := l.reach(two.Name, cluster.Running); got.PID != two.PID {
		t.Errorf("after a restart the emulator of %s has process id %d, want %d as before", two.Name, got.PID, two.PID)
	}
	a.do("call 192.168.127.11:8443 again", "guest: answer: 192.168.127.11:8443 heard 5 bytes")

	must(t, l.Type(l.ctx, one.Name, []byte("off\n")))
	off := l.reach(one.Name, cluster.Off)
	if diff := cmp.Diff("it switched itself off", off.Why); diff != "" {
		t.Errorf("why %s is off (-want +got):\n%s", one.Name, diff)
	}
	if a.lines.Scan(); a.lines.Err() != nil {
		t.Errorf("console of a machine that went off ends with %v", a.lines.Err())
	}
	_, err := l.Follow(l.ctx, one.Name)
	if diff := cmp.Diff("machine lab-1: it is off: it switched itself off", text(err)); diff != "" {
		t.Errorf("Follow of a machine that is off: error (-want +got):\n%s", diff)
	}
	again := l.start(first)
	if diff := cmp.Diff(one.Forwards, again.Forwards); diff != "" {
		t.Errorf("forwards of %s when it is on again (-before +now):\n%s", one.Name, diff)
	}
	if same := l.start(first); same.PID != again.PID {
		t.Errorf("Start of a machine that is on gives process id %d, want %d", same.PID, again.PID)
	}
	must(t, l.Stop(l.ctx, one.Name, cluster.Cut))
	if got := l.reach(one.Name, cluster.Off); got.Why != "its power was cut" {
		t.Errorf("why %s is off: %q, want that its power was cut", one.Name, got.Why)
	}
	err = l.Delete()
	if diff := cmp.Diff("delete lab: its machines are on", text(err)); diff != "" {
		t.Errorf("Delete: error (-want +got):\n%s", diff)
	}
	must(t, l.End(l.ctx, cluster.Cut))
	if got := l.reach(two.Name, cluster.Off); got.Why != "its power was cut" {
		t.Errorf("why %s is off: %q, want that its power was cut", two.Name, got.Why)
	}
	must(t, l.Delete())
	if _, err := os.Stat(l.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Delete: %v, want the directory gone", err)
	}
}

// A supervisor that is killed takes its machines with it, and the next one finds
// everything in order.
func TestKilledSupervisor(t *testing.T) {
	l := newLab(t)
	before := l.start(l.spec(1))
	l.sit(before.Name).await("guest: ready")
	pid, err := l.PID()
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	l.gone(before.PID)
	lost := l.reach(before.Name, cluster.Off)
	if diff := cmp.Diff("lost: its supervisor ended without switching it off", lost.Why); diff != "" {
		t.Errorf("why %s is off (-want +got):\n%s", before.Name, diff)
	}
	_, err = l.Start(l.ctx, l.spec(1))
	if want := "supervisor of lab: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Start without a supervisor: %v, want an error that begins %q", err, want)
	}
	l.launch()
	if got := l.reach(before.Name, cluster.Off); got.Why != lost.Why {
		t.Errorf("after the next supervisor started: why %s is off: %q, want %q", before.Name, got.Why, lost.Why)
	}
	l.start(l.spec(1))
	l.sit(before.Name).await("guest: ready")
	if _, err := os.Stat(l.ConsoleLog(before.Name) + ".old"); err != nil {
		t.Errorf("console of the start before: %v", err)
	}
}

func TestLaunch(t *testing.T) {
	l := newEmptyLab(t)
	l.launch()
	pid, err := l.PID()
	must(t, err)
	become, err := cluster.Become(verb, l.Cluster)
	must(t, err)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := l.Launch(l.ctx, become); err != nil {
				t.Errorf("Launch of one that is there: %v", err)
			}
		})
	}
	all.Wait()
	if now, err := l.PID(); now != pid || err != nil {
		t.Errorf("after more Launches the supervisor is process %d, %v, want %d", now, err, pid)
	}
	must(t, l.End(l.ctx, cluster.Press))
	must(t, l.End(l.ctx, cluster.Press))
	if alive, err := l.Alive(); alive || err != nil {
		t.Errorf("Alive after End = %t, %v, want false", alive, err)
	}
	err = l.Launch(l.ctx, []string{os.Args[0], verb, "/nowhere/UP"})
	if want := "start the supervisor of lab: it ended at once: cluster \"UP\": want"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Launch of one that fails: %v, want %q", err, want)
	}
}
