package boottest_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/bulkhead-os/bulkhead/tools/boottest"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
)

// serviceVersion is that of a release with which a declared container goes on.
const serviceVersion = "0.0.7"

// declaredSettings are a web server that keeps a count.
const declaredSettings = containerSettings + `
[settings.containers.web]
image = "images.test/service:v1"
command = ["/service", "serve", "80"]
ports = ["8080:80"]
user = "1000"
read-only-root = true
volumes.data.path = "/data"
secret-env = { SECRET = "word" }
health = { http = "http://localhost:80/healthz", interval = "2s", retries = 2 }

[settings.container-secrets]
word = "correct-horse-battery"

[settings.updates.health-checks.web]
container = "web"
command = ["/service", "has", "SECRET", "correct-horse-battery"]
`

// newServices is a store with the image of a service.
func newServices(t *testing.T, lab *boottest.Lab) *store {
	t.Helper()
	program := t.TempDir() + "/service"
	build := lab.Root.Go("build", "-trimpath", "-o", program, "./sources/containers/testdata/service")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	must(t, build.Run(t.Context()))
	files := ociimage.Files{}
	files.Add("/service", program, 0o755)
	image, err := ociimage.New(ociimage.Config{Entrypoint: []string{"/service"}}, files)
	must(t, err)
	s := &store{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(s.handler)
	defer server.Close()
	must(t, ociimage.Push(t.Context(), image, strings.TrimPrefix(server.URL, "http://")+"/service:v1"))
	return s
}

// A declared web server answers from outside, survives a reboot and an update, of
// which a command in it is a check, and the health of the node tells how it is.
func TestDeclared(t *testing.T) {
	t.Parallel()
	lab := boottest.Open(t)
	opt := boottest.Options{
		Firmware: true, UserData: declaredSettings,
		Services: map[string]func(net.Listener) error{storeAddress: newServices(t, lab).serve},
	}
	d := lab.NewDisk(t)
	first := d.Programs()[0]
	n := d.Boot(opt)
	n.AwaitReady()
	outside := n.Forward(8080)
	awaitAnswer(t, outside, "/count", "1")
	n.AwaitHealth("ok")

	awaitAnswer(t, outside, "/break", "")
	awaitFault(t, n, "settings.containers.web", "503 Service Unavailable")
	awaitAnswer(t, outside, "/mend", "")
	n.AwaitHealth("ok")
	change(t, n, `containers.eater = { image = "images.test/service:v1", command = ["/service", "eat"], resources = { memory = "64MiB" } }`)
	awaitFault(t, n, "settings.containers.eater", "its memory, or that of the node, had come to its end")
	unset(t, n, "containers.eater")
	awaitJournal(t, n, "container@eater.service", "container is removed", 1)
	if got := len(journalLines(n, "container@web.service", "container runs\"")); got != 1 {
		t.Errorf("the web server was started %d times while the settings of another container changed, want once", got)
	}
	n.AwaitHealth("ok")

	n.Restart()
	outside = n.Forward(8080)
	awaitAnswer(t, outside, "/count", "2")
	n.Shutdown()

	d.Stage(lab.Derive(t, testimage.Change{Version: serviceVersion}), "B", first)
	d.BootSlot(boottest.Seen{Running: lab.Hash(t)}, "activate", serviceVersion)
	n = d.Boot(opt)
	awaitVersion(t, n, serviceVersion)
	outside = n.Forward(8080)
	awaitAnswer(t, outside, "/count", "3")
	awaitLog(t, n, "boot-complete.service", "it runs, and is healthy")
}

// awaitAnswer waits until the server at address answers with want at path.
func awaitAnswer(t *testing.T, address, path, want string) {
	t.Helper()
	client := &http.Client{Timeout: boottest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	var last string
	for end := time.Now().Add(boottest.Patience); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		resp, err := client.Get("http://" + address + path)
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		last = fmt.Sprint(resp.Status, " ", string(body))
		if err == nil && resp.StatusCode == http.StatusOK {
			if string(body) != want {
				t.Fatalf("GET %s: %q, want %q", path, body, want)
			}
			return
		}
	}
	t.Fatalf("GET %s: %s, want %q", path, last, want)
}
