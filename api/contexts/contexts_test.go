package contexts_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/models/report"
)

var print = strings.Repeat("0a", 32)

func lab(name string) contexts.Context {
	return contexts.Context{Name: name, Endpoint: "192.0.2.1:8443", Fingerprint: print, Certificate: "/c.pem"}
}

func TestChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bulkhead")
	if got, err := contexts.Load(dir); err != nil || len(got.Contexts) != 0 {
		t.Errorf("Load without a file = %+v, %v, want none", got, err)
	}
	b := contexts.Context{Name: "b.c", Endpoint: "[2001:db8::1]:1", CA: "/a b/\"ü\".crt", Certificate: "/c", Key: "/k"}
	err := contexts.Change(dir, func(f *contexts.File) error {
		f.Set(lab("z"))
		f.Set(b)
		f.Set(lab("a"))
		f.Current = "b.c"
		return f.Remove("z")
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := contexts.Load(dir)
	want := contexts.File{Current: "b.c", Contexts: []contexts.Context{lab("a"), b}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Load: error %v (-want +got):\n%s", err, diff)
	}
	info, err := os.Stat(contexts.Path(dir))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	no := errors.New("no")
	err = contexts.Change(dir, func(f *contexts.File) error {
		f.Contexts = nil
		return no
	})
	if again, _ := contexts.Load(dir); !errors.Is(err, no) || len(again.Contexts) != 2 {
		t.Errorf("after a change that failed with %v there are %+v, want the same as before", err, again)
	}
	err = contexts.Change(dir, func(f *contexts.File) error { return f.Remove("b.c") })
	if again, _ := contexts.Load(dir); err != nil || again.Current != "" {
		t.Errorf("after the current one was removed: %v, current %q, want none", err, again.Current)
	}
}

// Changes that are made at the same time all last.
func TestChangeConcurrently(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			err := contexts.Change(dir, func(f *contexts.File) error {
				f.Set(lab(fmt.Sprintf("n%d", i)))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := contexts.Load(dir); err != nil || len(got.Contexts) != 16 {
		t.Errorf("there are %d contexts, %v, want 16", len(got.Contexts), err)
	}
}

// All faults are told at once, with their places.
func TestLoadFaults(t *testing.T) {
	const head = "version = 1\n"
	good := "endpoint = \"a:1\"\nfingerprint = \"" + print + "\"\ncertificate = \"/c\"\n"
	tests := []struct{ name, text, want string }{
		{"empty", "", "1:1: version: is not there (want version = 1)"},
		{"newer", "version = 2\nelse = 1", "1:11: version: is 2 (this apiclient reads version 1)"},
		{"no TOML", head + "x", "2:1: "},
		{"unknown keys", head + "a = 1\n[contexts.x]\n" + good + "b = 2\n", "2:1: a: there is no such key (want version, current or contexts)\n7:1: contexts.x.b: there is no such key (want endpoint, fingerprint, ca, certificate or key)"},
		{"other case", head + "[contexts.x]\nEndpoint = \"a:1\"\n", "3:1: contexts.x.Endpoint: there is no such key (want endpoint, fingerprint, ca, certificate or key)"},
		{"wrong types", head + "current = 1\n[contexts]\nx = 1\n[contexts.y]\nkey = []\n", "2:11: current: want a string, got 1\n4:5: contexts.x: want a table, got 1\n6:1: contexts.y.key: want a string, got a list"},
		{"contexts are a list", head + "contexts = []\n", "2:1: contexts: want a table, got a list"},
		{"current is not there", head + "current = \"x\"\n", "2:11: current: there is no context \"x\" (name another, or take the line out)"},
		{"bad name", head + "[contexts.\"a b\"]\n" + good, "2:11: contexts.a b: context name \"a b\": want 1 to 64 letters, digits, '.', '_', '-' and '@', the first a letter or digit"},
		{"no endpoint", head + "[contexts.x]\n", "2:11: contexts.x: there is no endpoint"},
		{"no trust", head + "[contexts.x]\nendpoint = \"a\"\ncertificate = \"/c\"\n", "2:11: contexts.x: nothing says how to know the node: want the fingerprint of its certificate or a CA"},
		{"no certificate", head + "[contexts.x]\nendpoint = \"a\"\nca = \"/c\"\n", "2:11: contexts.x: there is no certificate to show to the node"},
		{"bad endpoint", head + "[contexts.x]\nendpoint = \"a:b\"\n", "2:11: contexts.x: endpoint \"a:b\": port \"b\": want 1 to 65535"},
		{"bad fingerprint", head + "[contexts.x]\nendpoint = \"a\"\nfingerprint = \"1\"\n", "2:11: contexts.x: fingerprint \"1\": want the 64 hexadecimal digits of a SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := contexts.Path(dir)
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := contexts.Load(dir)
			got := strings.ReplaceAll(faults(err), path+":", "")
			if tt.name == "no TOML" {
				got = got[:min(len(got), len(tt.want))]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Load of %q (-want +got):\n%s", tt.text, diff)
			}
			if err := contexts.Change(dir, func(*contexts.File) error { return nil }); err == nil {
				t.Error("Change of a file with faults: no error, want one")
			}
		})
	}
}

func TestRemote(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := contexts.Context{Endpoint: "a:1", Fingerprint: print, CA: file("ca"), Certificate: file("cert"), Key: file("key")}
	got, err := c.Remote()
	want := &client.Remote{Endpoint: "a:1", Fingerprint: print, CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key")}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Remote: error %v (-want +got):\n%s", err, diff)
	}
	c.Key = filepath.Join(dir, "none")
	if _, err := c.Remote(); err == nil || err.Error() != "read the key to reach a:1 with: open "+c.Key+": no such file or directory" {
		t.Errorf("Remote without the file of the key: error %v", err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/anna")
	for set, want := range map[string]string{"": "/home/anna/.config/bulkhead", "/x": "/x/bulkhead", "x": ""} {
		t.Setenv("XDG_CONFIG_HOME", set)
		if got, err := contexts.DefaultDir(); got != want || (err != nil) != (want == "") {
			t.Errorf("DefaultDir with XDG_CONFIG_HOME=%q = %q, %v, want %q", set, got, err, want)
		}
	}
}

// faults returns what err says, a line for each.
func faults(err error) string {
	r, ok := errors.AsType[*report.Refusal](err)
	if !ok {
		return fmt.Sprint(err)
	}
	var lines []string
	for _, f := range r.Report.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}
