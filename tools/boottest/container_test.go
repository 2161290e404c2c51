package boottest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
)

// storeAddress is where nodes reach the registry of a test.
const storeAddress = "169.254.169.250:5000"

// A store is a registry with an image whose program is made for tests.
type store struct{ handler http.Handler }

func newStore(t *testing.T, lab *boottest.Lab) *store {
	t.Helper()
	program := t.TempDir() + "/inside"
	build := lab.Root.Go("build", "-trimpath", "-o", program, "./sources/internal/hostcontainerd/testdata/inside")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	must(t, build.Run(t.Context()))
	files := ociimage.Files{}
	files.Add("/inside", program, 0o755)
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/inside"}, Cmd: []string{"wait"}}, files)
	must(t, err)
	s := &store{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(s.handler)
	defer server.Close()
	must(t, ociimage.Push(t.Context(), image, strings.TrimPrefix(server.URL, "http://")+"/test:v1"))
	return s
}

func (s *store) serve(l net.Listener) error {
	err := http.Serve(l, s.handler)
	if strings.Contains(fmt.Sprint(err), "closed") {
		return nil
	}
	return err
}

// containerSettings have a node fetch the image from the store.
const containerSettings = `[settings]
motd = "from user data"

[[settings.container-registry.mirrors]]
registry = "images.test"
endpoint = ["http://` + storeAddress + `"]
`

// Containers are started and stopped by settings, with nothing of ours beside
// them, and a node without them has no process for them. Those of the boot run in
// their order, and before the node counts as configured.
func TestContainers(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	opt := boottest.Options{Probe: true, UserData: containerSettings, Services: map[string]func(net.Listener) error{storeAddress: newStore(t, lab).serve}}
	d := lab.NewDisk(t)
	n := d.Boot(opt)
	n.AwaitReady()
	n.AwaitHealth("ok")
	if got := containerProcesses(n); len(got) > 0 {
		t.Errorf("processes of a node without containers: %q, want none for containers", got)
	}
	change(t, n, `host-containers.one = { enabled = true, source = "images.test/test:v1", command = ["/inside", "wait"] }`)
	awaitJournal(t, n, "host-container@one.service", "ready", 1)
	set(t, n, "host-containers.one.enabled=false")
	awaitJournal(t, n, "host-container@one.service", "told to end", 1)
	awaitJournal(t, n, "host-container@one.service", "container has ended", 1)
	// One that ends by itself is started again, and again.
	change(t, n, `host-containers.two = { enabled = true, source = "images.test/test:v1", command = ["/inside", "exit", "3"] }`)
	// After 1 and 2 seconds at first, and not a hundred times a minute.
	third := awaitJournal(t, n, "host-container@two.service", `container=two status=3`, 3)
	first := journalLines(n, "host-container@two.service", `container=two status=3`)[0]
	if took := third.Time.Sub(first.Time); took < 2500*time.Millisecond {
		t.Errorf("a container that ends at once was started again twice within %s, want that it takes longer than 2.5s", took)
	}
	set(t, n, "host-containers.two.enabled=false")
	testLimits(t, n)
	change(t, n, `bootstrap-containers.a = { mode = "once", source = "images.test/test:v1", command = ["/inside", "exit", "0"], after = ["b"] }
bootstrap-containers.b = { mode = "always", source = "images.test/test:v1", command = ["/inside", "report", "bootstrap-containers"], timeout = "10m" }
bootstrap-containers.c = { mode = "always", source = "images.test/test:v1", command = ["/inside", "exit", "5"] }
bootstrap-commands.z = { mode = "once", commands = [["apiclient", "set", "motd=by a command"]] }`)
	n.Restart()
	awaitFault(t, n, "settings.bootstrap-containers.c", "exit status 5")
	b := awaitJournal(t, n, "bootstrap-containers.service", "container is done\" container=b", 1)
	a := awaitJournal(t, n, "bootstrap-containers.service", "container is done\" container=a", 1)
	if !a.Time.After(b.Time) {
		t.Errorf("container a was done at %s and b, which runs before it, at %s", a.Time, b.Time)
	}
	for name, want := range map[string]string{
		"bootstrap-containers.a.mode": `"off"`, "bootstrap-containers.b.mode": `"always"`, "bootstrap-commands.z.mode": `"off"`, "motd": `"by a command"`,
	} {
		if got := setting(t, n, name); got != want {
			t.Errorf("%s after the boot: %s, want %s", name, got, want)
		}
	}
	// An essential one that fails leaves a node that says so.
	set(t, n, "bootstrap-containers.c.essential=true")
	n.Restart()
	awaitFault(t, n, "settings.bootstrap-containers.c", "it is essential")
}

// testLimits has a container run with limits, which its control group has, which
// can be changed, and which keep it from taking more.
func testLimits(t *testing.T, n *boottest.Node) {
	t.Helper()
	const unit = "host-container@limited.service"
	change(t, n, `host-containers.limited = { enabled = true, source = "images.test/test:v1", command = ["/inside", "limits", "`+unit+`"], resources = { memory = "64MiB", cpus = 0.5, pids = 50 } }`)
	awaitJournal(t, n, unit, "limits memory.max=67108864 memory.swap.max=0 cpu.max=50000 100000 pids.max=50", 1)
	change(t, n, `host-containers.limited.resources = { memory = "96MiB", pids = 60 }`)
	awaitJournal(t, n, unit, "limits memory.max=100663296 memory.swap.max=0 cpu.max=50000 100000 pids.max=60", 1)
	unset(t, n, "host-containers.limited.resources")
	awaitJournal(t, n, unit, "limits memory.max=max memory.swap.max=max cpu.max=max 100000 pids.max=", 1)
	change(t, n, `host-containers.limited = { command = ["/inside", "eat"], resources = { memory = "64MiB" } }`)
	awaitJournal(t, n, unit, "eating", 1)
	awaitJournal(t, n, unit, `container=limited status=137`, 1)
	set(t, n, "host-containers.limited.enabled=false")
}

// change makes the change that is written in text as settings.
func change(t *testing.T, n *boottest.Node, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), boottest.Patience)
	defer cancel()
	_, err := n.API.Patch(ctx, client.Patch{Tx: "boottest", ContentType: client.TOML, Body: []byte("[settings]\n" + text + "\n")})
	must(t, err)
	_, err = n.API.Commit(ctx, client.CommitRequest{Tx: "boottest", Message: "containers", Apply: true, Wait: boottest.Patience})
	must(t, err)
}

// containerProcesses returns the names of processes that are there for
// containers.
func containerProcesses(n *boottest.Node) []string {
	var names []string
	for _, p := range n.Facts().Processes {
		for _, part := range []string{"container", "runc", "inside", "journal-exec"} {
			if strings.Contains(p.Name, part) {
				names = append(names, p.Name)
				break
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// awaitJournal waits until the journal of unit has text in count lines of this
// boot, and returns the last of them.
func awaitJournal(t *testing.T, n *boottest.Node, unit, text string, count int) client.LogLine {
	t.Helper()
	end := time.Now().Add(boottest.Patience)
	for {
		found := journalLines(n, unit, text)
		if len(found) >= count {
			return found[len(found)-1]
		}
		if time.Now().After(end) {
			t.Fatalf("the journal of %s has %q in %d lines, want %d", unit, text, len(found), count)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// journalLines returns the lines of the journal of unit that have text, of this boot.
func journalLines(n *boottest.Node, unit, text string) []client.LogLine {
	var found []client.LogLine
	for _, line := range n.Logs(client.LogsRequest{Boot: "0", Unit: unit}) {
		if strings.Contains(line.Message, text) {
			found = append(found, line)
		}
	}
	return found
}

// awaitFault waits until the health of the node has a fault at path whose detail
// has text.
func awaitFault(t *testing.T, n *boottest.Node, path, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), boottest.Patience)
	defer cancel()
	for {
		h, err := n.API.Health(ctx)
		if err == nil && slices.ContainsFunc(h.Faults, func(f report.Fault) bool { return f.Path == path && strings.Contains(f.Detail, text) }) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("health: %+v, %v, want a fault of %s with %q", h, err, path, text)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// unset takes settings back.
func unset(t *testing.T, n *boottest.Node, name string) {
	t.Helper()
	k, err := key.Parse(name)
	must(t, err)
	must(t, n.API.Unset(t.Context(), "boottest", []key.Key{k}))
	_, err = n.API.Commit(t.Context(), client.CommitRequest{Tx: "boottest", Message: "without " + name, Apply: true, Wait: boottest.Patience})
	must(t, err)
}
