package apply

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
)

// demo is a package with one of everything.
var demo = map[string]string{
	"package.toml": `
[package]
name = "demo"
summary = "One of everything"
license = "MIT"

[[unit]]
name = "trust.service"
enable = true

[[unit]]
name = "clock.service"
enable = true
after = ["trust.service"]

[[unit]]
name = "names.service"
enable = true

[[unit]]
name = "box@.service"
after = ["trust.service"]

[[config]]
path = "/etc/motd"
template = "motd.tmpl"

[[config]]
path = "/etc/clock/clock.conf"
template = "clock.tmpl"
units = ["clock.service"]

[[config]]
path = "/etc/trust.pem"
template = "trust.tmpl"
units = ["trust.service", "clock.service"]

[[config]]
path = "/etc/names"
template = "names.tmpl"
unit = "names.service"
on-change = "reload"

[[config]]
path = "/etc/systemd/system/clock.service.d/name.conf"
template = "dropin.tmpl"
unit = "clock.service"
when = ["network.hostname"]

[[config]]
path = "/etc/sysctl.d/demo.conf"
template = "sysctl.tmpl"
on-change = "write-sysctl"
when = ["kernel.sysctl"]

[[config]]
path = "/etc/box/{{ .key }}.toml"
template = "box.tmpl"
for-each = "host-containers"
when = [".enabled"]
unit = "box@{{ .key }}.service"
mode = "0600"
secret = true

[[action]]
name = "write-sysctl"
exec = ["/bin/echo", "sysctl"]
`,
	"motd.tmpl":   `{{ optional "motd" | default "" | content }}`,
	"clock.tmpl":  "{{ range optional \"ntp.time-servers\" }}server {{ word . }}\n{{ end }}",
	"trust.tmpl":  "{{ range $n, $e := setting \"pki\" }}{{ line $n }}\n{{ end }}",
	"names.tmpl":  `{{ range optional "dns.name-servers" }}nameserver {{ word . }}{{ end }}`,
	"dropin.tmpl": "[Unit]\nDescription={{ setting \"network.hostname\" | systemdvalue }}\n",
	"sysctl.tmpl": "{{ range $k, $v := setting \"kernel.sysctl\" }}{{ word $k }}={{ line $v }}\n{{ end }}",
	"box.tmpl":    "source = {{ member .value \"source\" | toml }}\nuser-data = {{ optmember .value \"user-data\" | default \"\" | toml }}\n",
}

const demoVariant = `
[variant]
name = "demo"
platform = "qemu"
runtime = "dev"
arch = ["x86_64"]
summary = "For tests"
settings = ["motd", "ntp", "network", "dns", "kernel", "pki", "host-containers"]
packages = ["demo"]
`

// demoImage makes an image with the package demo; change replaces files of it.
func demoImage(t testing.TB, change map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	share := filepath.Join(dir, "usr/share/bulkhead")
	put(t, filepath.Join(share, "variants/demo.toml"), demoVariant)
	for name, text := range demo {
		put(t, filepath.Join(share, "packages/demo", name), text)
	}
	for name, text := range change {
		put(t, filepath.Join(share, "packages/demo", name), text)
	}
	return dir
}

func put(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A bench is a worker with a root and an image of its own.
type bench struct {
	*worker
	t    testing.TB
	dir  string // the root
	next uint64 // generation

	mu    sync.Mutex
	items []applier.Item
}

// newBench returns a bench whose units are recorded, unless manager is there.
func newBench(t testing.TB, imageDir string, manager Manager) *bench {
	t.Helper()
	dir := t.TempDir()
	if manager == nil {
		r, err := OpenRecorder(dir)
		if err != nil {
			t.Fatal(err)
		}
		manager = r
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &bench{t: t, dir: dir, worker: &worker{
		root: root, image: imageDir, manager: manager, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		step: func(string) {}, images: map[string]*image{},
	}}
}

func (b *bench) request(settings string) applier.Request {
	b.next++
	return applier.Request{Generation: b.next, OS: applier.OS{Variant: "demo", Arch: "x86_64", Version: "1.0.0"}, Settings: json.RawMessage(settings)}
}

// set applies settings.
func (b *bench) set(settings string) applier.Result {
	b.t.Helper()
	return b.apply(context.Background(), b.request(settings), func(i applier.Item) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.items = append(b.items, i)
	})
}

// must applies settings and expects no fault.
func (b *bench) must(settings string) applier.Result {
	b.t.Helper()
	res := b.set(settings)
	if res.Status == applier.Failed {
		b.t.Fatalf("apply of %s: %s", settings, asJSON(b.t, res))
	}
	return res
}

// file returns the contents of a file below the root, or what is wrong with it.
func (b *bench) file(name string) string {
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		return "(" + strings.ReplaceAll(err.Error(), b.dir, "") + ")"
	}
	return string(data)
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// brief returns a line for each thing that was done.
func brief(res applier.Result) []string {
	var out []string
	add := func(words ...string) { out = append(out, strings.TrimSpace(strings.Join(words, " "))) }
	for _, f := range res.Files {
		add(string(f.Action), f.Path, f.Error)
	}
	for _, a := range res.Actions {
		add("run", a.Name, a.Error)
	}
	for _, u := range res.Units {
		add(string(u.Action), u.Name, u.Note, u.Error)
	}
	for _, f := range res.Faults {
		add("fault", f.Path, f.Error())
	}
	if res.Error != "" {
		add("error", res.Error)
	}
	return out
}

// log returns what a Recorder below the root has written: verbs and units.
func (b *bench) recorded() []string {
	b.t.Helper()
	var out []string
	for line := range strings.Lines(b.file(recordFile)) {
		var rec record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			b.t.Fatalf("line %q of the record: %v", line, err)
		}
		out = append(out, strings.TrimSpace(rec.Verb+" "+rec.Unit))
	}
	return out
}

// paths of the plan for settings.
func (b *bench) planned(settings string) *plan.Plan {
	b.t.Helper()
	p, err := b.makePlan(context.Background(), b.request(settings))
	if err != nil {
		b.t.Fatalf("makePlan of %s: %v", settings, err)
	}
	return p
}
