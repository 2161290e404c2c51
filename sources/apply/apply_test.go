package apply

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

const everything = `{
	"motd": "hello", "ntp": {"time-servers": ["a.example", "b.example"]}, "dns": {"name-servers": ["192.0.2.1"]},
	"network": {"hostname": "node-1"}, "kernel": {"sysctl": {"vm.swappiness": "10"}}, "pki": {"x": {"trusted": false}},
	"host-containers": {"admin": {"enabled": true, "source": "example.org/admin:1", "user-data": "c2VjcmV0LXdvcmQ="}}
}`

func TestApplyFromNothing(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	res := b.must(everything)
	want := []string{
		"create /etc/box/admin.toml", "create /etc/clock/clock.conf", "create /etc/motd", "create /etc/names",
		"create /etc/sysctl.d/demo.conf", "create /etc/systemd/system/clock.service.d/name.conf", "create /etc/trust.pem",
		"run write-sysctl", "reload names.service", "restart trust.service", "start box@admin.service", "restart clock.service",
	}
	slices.Sort(want)
	got := brief(res)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("apply of everything (-want +got):\n%s", diff)
	}
	files := map[string]string{
		"etc/motd": "hello", "etc/clock/clock.conf": "server a.example\nserver b.example\n", "etc/names": "nameserver 192.0.2.1",
		"etc/sysctl.d/demo.conf": "vm.swappiness=10\n", "etc/trust.pem": "x\n",
		"etc/systemd/system/clock.service.d/name.conf": "[Unit]\nDescription=node-1\n",
		"etc/box/admin.toml":                           "source = \"example.org/admin:1\"\nuser-data = \"c2VjcmV0LXdvcmQ=\"\n",
	}
	for name, want := range files {
		if got := b.file(name); got != want {
			t.Errorf("after the apply %s has %q, want %q", name, got, want)
		}
	}
	info, err := os.Stat(filepath.Join(b.dir, "etc/box/admin.toml"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode of the secret file: %v, %v, want -rw-------", info.Mode(), err)
	}
	if log := b.recorded(); len(log) != 6 || log[0] != "daemon-reload" || log[1] != "run write-sysctl" {
		t.Errorf("recorded %q, want daemon-reload, the action, and four units", log)
	}
	if got := len(b.items); got != len(want) {
		t.Errorf("told %d items, want %d", got, len(want))
	}
}

func TestApplyTwice(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	b.must(everything)
	before := b.stamps()
	log := b.recorded()
	res := b.must(everything)
	if res.Status != applier.Nothing || len(brief(res)) > 0 {
		t.Errorf("second apply: %s %q, want nothing", res.Status, brief(res))
	}
	if diff := cmp.Diff(before, b.stamps()); diff != "" {
		t.Errorf("second apply touched files (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(log, b.recorded()); diff != "" {
		t.Errorf("second apply did something with units (-before +after):\n%s", diff)
	}
}

// stamps returns the time of each file below the root.
func (b *bench) stamps() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			out[path] = info.ModTime().String()
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func TestApplyChange(t *testing.T) {
	tests := []struct {
		name, from, to string
		want           []string
	}{
		{"no unit", `{"motd": "a"}`, `{"motd": "b"}`, []string{"update /etc/motd"}},
		{"restart", `{}`, `{"ntp": {"time-servers": ["a.example"]}}`, []string{"update /etc/clock/clock.conf", "restart clock.service"}},
		{"reload", `{}`, `{"dns": {"name-servers": ["192.0.2.1"]}}`, []string{"update /etc/names", "reload names.service"}},
		{
			"order", `{}`, `{"pki": {"x": {"trusted": false}}}`,
			[]string{"update /etc/trust.pem", "restart trust.service", "restart clock.service"},
		},
		{
			"entry appears", `{}`, `{"host-containers": {"a": {"enabled": true, "source": "b/c:1"}}}`,
			[]string{"create /etc/box/a.toml", "start box@a.service"},
		},
		{
			"entry goes", `{"host-containers": {"a": {"enabled": true, "source": "b/c:1"}}}`, `{}`,
			[]string{"remove /etc/box/a.toml", "stop box@a.service"},
		},
		{
			"file of a unit goes", `{"network": {"hostname": "a"}}`, `{}`,
			[]string{"remove /etc/systemd/system/clock.service.d/name.conf", "restart clock.service"},
		},
		{
			"action", `{}`, `{"kernel": {"sysctl": {"a.b": "1"}}}`,
			[]string{"create /etc/sysctl.d/demo.conf", "run write-sysctl"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, demoImage(t, nil), nil)
			b.must(tt.from)
			planned := b.planned(tt.to)
			got := brief(b.must(tt.to))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("apply of %s after %s (-want +got):\n%s", tt.to, tt.from, diff)
			}
			if n := len(planned.Files) + len(planned.Units) + len(planned.Actions); n != len(got) {
				t.Errorf("the plan named %d things, the apply did %d", n, len(got))
			}
			b.must(tt.from)
			if res := b.must(tt.from); res.Status != applier.Nothing {
				t.Errorf("going back twice: %q, want nothing the second time", brief(res))
			}
		})
	}
}

// Directories that applies have made go with their last file, others stay.
func TestDirectories(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	if err := os.MkdirAll(filepath.Join(b.dir, "etc/sysctl.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.must(everything)
	b.must(`{}`)
	var got []string
	entries, err := os.ReadDir(filepath.Join(b.dir, "etc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff([]string{"clock", "motd", "names", "sysctl.d", "trust.pem"}, got); diff != "" {
		t.Errorf("what is left in /etc (-want +got):\n%s", diff)
	}
}

// What was changed by others is put right again.
func TestDrift(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	b.must(everything)
	put(t, filepath.Join(b.dir, "etc/clock/clock.conf"), "mine\n")
	if err := os.Chmod(filepath.Join(b.dir, "etc/motd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.dir, "etc/names")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(b.dir, "etc/names")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"update /etc/clock/clock.conf", "mode /etc/motd", "update /etc/names", "restart clock.service", "reload names.service",
	}
	if diff := cmp.Diff(want, brief(b.must(everything))); diff != "" {
		t.Errorf("apply after changes by others (-want +got):\n%s", diff)
	}
	if res := b.must(everything); res.Status != applier.Nothing {
		t.Errorf("one more apply: %q, want nothing", brief(res))
	}
}

// No secret is in a plan or in a result.
func TestSecrets(t *testing.T) {
	m := newFake()
	m.journal = []string{"user data is c2VjcmV0LXdvcmQ=, alas"}
	m.fail["box@admin.service"] = "cannot read c2VjcmV0LXdvcmQ="
	b := newBench(t, demoImage(t, nil), m)
	planned := asJSON(t, b.planned(everything))
	res := asJSON(t, b.set(everything))
	for _, text := range []string{planned, res} {
		if strings.Contains(text, "c2VjcmV0") {
			t.Errorf("there is a secret in %s", text)
		}
	}
	if !strings.Contains(res, `user data is \u003credacted\u003e, alas`) {
		t.Errorf("the journal with the secret hidden is not in %s", res)
	}
}

// A state that cannot be read costs restarts, and nothing else.
func TestBrokenState(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	b.must(everything)
	put(t, filepath.Join(b.dir, stateDir, stateFile), "{")
	res := b.must(everything)
	noted := len(res.Notes) > 0 && strings.HasPrefix(res.Notes[0], "what earlier applies did is not known: ")
	if len(res.Files) != 7 || len(res.Units) != 4 || !noted {
		t.Errorf("apply with a broken state: %s, want all seven files settled, four units and a note", asJSON(t, res))
	}
	if res := b.must(everything); res.Status != applier.Nothing {
		t.Errorf("one more apply: %q, want nothing", brief(res))
	}
}

// An apply that is told to end leaves the rest to the next one.
func TestEnd(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.step = func(at string) {
		if at == "file /etc/names" {
			cancel()
		}
	}
	res := b.apply(ctx, b.request(everything), func(applier.Item) {})
	if got := b.file("etc/motd"); res.Status != applier.Failed || got != "hello" {
		t.Errorf("apply that ends: %s with motd %q, want failed after motd was written", res.Status, got)
	}
	want := "create /etc/trust.pem not done: apply was told to end"
	if got := brief(res); !slices.Contains(got, want) {
		t.Errorf("apply that ends: %q, want it to have %q", got, want)
	}
	b.step = func(string) {}
	b.must(everything)
	if log := b.recorded(); len(log) != 6 {
		t.Errorf("recorded %q after the next apply, want six things", log)
	}
}
