package recipe_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/report"
)

const head = `[package]
name = "p"
summary = "test"
license = "MIT"
`

var compareKeys = cmp.Comparer(func(a, b key.Key) bool { return a == b })

func TestParseFull(t *testing.T) {
	data, err := os.ReadFile("testdata/full.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &recipe.Package{
		Name: "full", Summary: "Everything a package can have", License: "GPL-2.0-only WITH Linux-syscall-note OR MIT",
		Tmpfiles: "a.tmpfiles.conf", Sysusers: "a.sysusers.conf", Sysctl: "a.sysctl.conf",
		Debian: []recipe.Debian{{Package: "chrony", Keep: []string{"/usr/sbin/chronyd", "/usr/lib/chrony/*"}}},
		Modules: []recipe.Module{
			{Package: "example.org/a/v2/cmd/b", Output: "/usr/bin/b", Tags: []string{"x"}, Ldflags: []string{"-X", "main.v=1"}},
			{Packages: []string{"example.org/c/cmd/d", "example.org/c/cmd/e"}, Output: "/usr/lib/c", Links: "/usr/bin"},
		},
		Images:   []recipe.Image{{Name: "pause", Path: "/usr/share/pause.tar"}},
		Programs: []recipe.Program{{Name: "apply", Path: "/usr/bin/apply"}},
		Files:    []recipe.File{{Source: "a", Path: "/usr/share/a", Mode: 0o644}, {Source: "b", Path: "/usr/share/b", Mode: 0o755}},
		Units: []recipe.Unit{
			{Name: "chrony.service", File: "chrony.service", Enable: true, After: []string{"x@1.service"}},
			{Name: "x@.service", WithFiles: true},
			{Name: "y@.service"},
			{Name: "z.service", WithFiles: true},
		},
		Configs: []recipe.Config{
			{Path: "/etc/a", Template: "a.tmpl", Mode: 0o644, Owner: "root", Group: "root", OnChange: recipe.Nothing},
			{
				Path: "/etc/b/{{ .key }}", Template: "b.tmpl", Mode: 0o600, Owner: "chrony", Group: "_chrony", Units: []string{"x@{{ .key }}.service"}, OnChange: recipe.Restart,
				ForEach: key.Of("host-containers"), When: []recipe.Condition{{Key: key.Of("enabled"), Member: true}, {Key: key.Of("motd")}}, WhenNot: []recipe.Condition{{Key: key.Of("kubernetes", "standalone-mode")}},
				Reads: []key.Key{key.Of("aws")}, OmitEmpty: true, Secret: true,
			},
			{Path: "/etc/c", Template: "a.tmpl", Mode: 0o644, Owner: "root", Group: "root", Units: []string{"chrony.service", "z.service"}, OnChange: "write-sysctl"},
		},
		Actions: []recipe.Action{{Name: "write-sysctl", Exec: []string{"/usr/lib/systemd/systemd-sysctl", "--prefix=/net"}}},
		Reads:   []recipe.Reads{{Settings: []key.Key{key.Of("kernel", "lockdown")}, By: "kernel-settings"}},
	}
	got, rep := recipe.Parse("full", data)
	if err := rep.Err(); err != nil {
		t.Fatalf("Parse(testdata/full.toml): %v", err)
	}
	if diff := cmp.Diff(want, got, compareKeys); diff != "" {
		t.Errorf("Parse(testdata/full.toml) (-want +got):\n%s", diff)
	}
	sources := []string{"a.tmpfiles.conf", "a.sysusers.conf", "a.sysctl.conf", "a", "b", "chrony.service", "a.tmpl", "b.tmpl"}
	if diff := cmp.Diff(sources, got.Sources()); diff != "" {
		t.Errorf("Sources (-want +got):\n%s", diff)
	}
	var conditions []string
	for _, c := range got.Configs[1].When {
		conditions = append(conditions, c.String())
	}
	if diff := cmp.Diff([]string{".enabled", "settings.motd"}, conditions); diff != "" {
		t.Errorf("conditions as text (-want +got):\n%s", diff)
	}
}

func TestParseFaults(t *testing.T) {
	const config = "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"no head", "", []string{"p/package.toml:1:1: package: is missing"}},
		{"malformed", "[package", []string{"p/package.toml:1:8: TOML: expected ']' to close table name (want TOML 1.0)"}},
		{"head of another type", "package = 1", []string{"p/package.toml:1:11: package: want a table, got 1"}},
		{"several at once", "[package]\nname = 'q'\nlicence = 'MIT'\nsummary = \"a\\nb\"\n", []string{
			"p/package.toml:1:2: package.license: is missing",
			`p/package.toml:2:8: package.name: "q" is not the name of the directory (want "p")`,
			"p/package.toml:3:1: package.licence: there is no such key (want one of license, name, summary, sysctl, sysusers, tmpfiles)",
			`p/package.toml:4:11: package.summary: "a\nb" has a control character`,
		}},
		{"unknown table", head + "[[configs]]\n", []string{"p/package.toml:5:3: configs: there is no such key (want one of action, config, debian, file, go, image, package, program, reads, unit)"}},
		{"table for a list", head + "[reads]\nsettings = ['motd']\nby = 'x'\n", []string{"p/package.toml:5:2: reads: want a list, got a table"}},
		{"wrong types", head + "[[debian]]\npackage = 1\nkeep = ['a', 1]\n[[unit]]\nname = 'a.service'\nenable = 'yes'\n", []string{
			"p/package.toml:6:11: debian[0].package: want a string, got 1",
			`p/package.toml:7:9: debian[0].keep[0]: "a" is not an absolute path`,
			"p/package.toml:7:14: debian[0].keep[1]: want a string, got 1",
			`p/package.toml:10:10: unit[0].enable: want a boolean, got "yes"`,
		}},
		{"nothing kept", head + "[[debian]]\npackage = 'a'\nkeep = []\n", []string{"p/package.toml:7:1: debian[0].keep: is empty (want at least one entry)"}},
		{"pattern", head + "[[debian]]\npackage = 'a'\nkeep = ['/a[']\n", []string{`p/package.toml:7:9: debian[0].keep[0]: "/a[" is not a pattern`}},
		{"path with dots", head + "[[program]]\nname = 'a'\npath = '/usr/../a'\n", []string{`p/package.toml:7:8: program[0].path: "/usr/../a" is not the shortest form of the path of a file`}},
		{"file elsewhere", head + "[[file]]\nsource = '../a'\npath = '/a'\n", []string{`p/package.toml:6:10: file[0].source: "../a" is not the name of a file in the directory of the package`}},
		{"units", head + "[[unit]]\nname = 'a'\n[[unit]]\nname = 'b.service'\nafter = ['b.service']\n[[unit]]\nname = 'b.service'\n[[unit]]\nname = 'c@.service'\nenable = true\n", []string{
			`p/package.toml:6:8: unit[0].name: "a" is not the name of a unit or of a template unit: want chrony.service or x@.service`,
			"p/package.toml:9:1: unit[1].after: b.service waits for itself",
			"p/package.toml:11:8: unit[2].name: the unit b.service is declared twice",
			"p/package.toml:14:10: unit[3].enable: c@.service is a template unit and cannot start by itself (its instances start with their files)",
		}},
		{"secret that all may read", head + config + "secret = true\n", []string{"p/package.toml:5:3: config[0].mode: mode 0644 lets others read a secret file (want 0600)"}},
		{"secret that the group may read", head + config + "secret = true\nmode = '0640'\n", []string{"p/package.toml:9:8: config[0].mode: mode 0640 lets others read a secret file (want 0600)"}},
		{"mode in decimal", head + config + "mode = '644'\n", []string{`p/package.toml:8:8: config[0].mode: "644" is not a mode: want four octal digits, as in 0644`}},
		{"same path twice", head + config + config, []string{"p/package.toml:9:8: config[1].path: the file /a is defined twice"}},
		{"something to fill in", head + "[[config]]\npath = '/{{ .key }}'\ntemplate = 'a.tmpl'\nunit = 'a@{{ .key }}.service'\n", []string{
			"p/package.toml:6:8: config[0].path: has something to fill in without for-each",
			`p/package.toml:8:8: config[0].unit: "a@{{ .key }}.service" has something to fill in without for-each`,
		}},
		{"nothing to fill in", head + config + "for-each = 'host-containers'\n", []string{"p/package.toml:6:8: config[0].path: is the same for all entries of for-each (put {{ .key }} into it)"}},
		{"relative path to fill in", head + "[[config]]\npath = '{{ .key }}'\ntemplate = 'a.tmpl'\nfor-each = 'pki'\n", []string{`p/package.toml:6:8: config[0].path: "{{ .key }}" is not an absolute path`}},
		{"reactions", head + config + "on-change = 'restart'\n[[config]]\npath = '/b'\ntemplate = 'a.txt'\nunit = 'a.service'\nunits = ['b']\non-change = 'run'\n", []string{
			"p/package.toml:5:3: config[0].unit: is missing: there is nothing to restart",
			`p/package.toml:11:12: config[1].template: "a.txt" is not the name of a template: want a name that ends in .tmpl`,
			"p/package.toml:12:8: config[1].unit: is given beside units (put all of them into units)",
			`p/package.toml:13:1: config[1].units: "b" is not the name of a unit: want chrony.service`,
			`p/package.toml:14:13: config[1].on-change: there is no action "run" (want restart, reload, reload-or-start, none, or the name of an action of this package)`,
		}},
		{"conditions", head + config + "when = ['.enabled', 'a..b', 'settings']\nreads = ['']\n", []string{
			"p/package.toml:8:1: config[0].when: .enabled is a member of an entry, and there is no for-each",
			`p/package.toml:8:21: config[0].when[1]: "a..b" is not the name of a setting: key "a..b": segment 2 is empty`,
			`p/package.toml:8:29: config[0].when[2]: "settings" names all settings: want one, or a table of them`,
			`p/package.toml:9:10: config[0].reads[0]: "" is not the name of a setting: key is empty, want a name such as settings.motd`,
		}},
		{"actions", head + "[[action]]\nname = 'reload'\nexec = ['a']\n[[action]]\nname = 'A'\nexec = []\n", []string{
			`p/package.toml:6:8: action[0].name: the name "reload" is taken`,
			`p/package.toml:7:1: action[0].exec[0]: "a" is not an absolute path (want the path of a program)`,
			`p/package.toml:9:8: action[1].name: "A" is not the name of an action: want lower-case letters, digits and hyphens`,
			"p/package.toml:10:1: action[1].exec: is empty (want at least one entry)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, rep := recipe.Parse("p", []byte(tt.text))
			if diff := cmp.Diff(tt.want, lines(rep)); diff != "" || p != nil {
				t.Errorf("Parse(%s): package %v, faults (-want +got):\n%s", tt.text, p, diff)
			}
		})
	}
}

func lines(rep report.Report) []string {
	var out []string
	for _, f := range rep.Faults {
		out = append(out, f.String())
	}
	return out
}

func FuzzParse(f *testing.F) {
	full, err := os.ReadFile("testdata/full.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(head))
	f.Add([]byte("[[config]]\nunits = [1]\n[[unit]]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, rep := recipe.Parse("full", data)
		if (p == nil) != rep.HasErrors() {
			t.Fatalf("Parse(%q): package %v with faults %v", data, p, rep.Faults)
		}
		if p == nil {
			return
		}
		for _, c := range p.Configs {
			if c.Secret && c.Mode&0o077 != 0 || !strings.HasPrefix(c.Path, "/") {
				t.Errorf("Parse(%q) accepted the file %+v", data, c)
			}
		}
	})
}

func TestLoad(t *testing.T) {
	fsys := fstest.MapFS{
		"p/package.toml": {Data: []byte(head + "[[config]]\npath = '/a'\ntemplate = 'a.tmpl'\n")}, "p/a.tmpl": {Data: []byte("x")},
		"q/package.toml": {Data: []byte(strings.Replace(head, `"p"`, `"q"`, 1) + "[[config]]\npath = '/a'\ntemplate = 'b.tmpl'\n")},
	}
	packages, rep := recipe.LoadAll(fsys, []string{"p", "q", "r"})
	if len(packages) != 1 || packages[0].Templates["a.tmpl"] != "x" {
		t.Errorf("LoadAll(p, q, r) = %+v, want p with its template", packages)
	}
	want := []string{
		"q/package.toml: read template b.tmpl: open q/b.tmpl: file does not exist",
		`there is no package "r": open r/package.toml: file does not exist`,
	}
	if diff := cmp.Diff(want, lines(rep)); diff != "" {
		t.Errorf("LoadAll(p, q, r): faults (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	a := &recipe.Package{
		Name:    "a",
		Units:   []recipe.Unit{{Name: "a.service", After: []string{"b@1.service"}}, {Name: "c.service"}},
		Configs: []recipe.Config{{Path: "/etc/x", Units: []string{"a.service", "gone@{{ .key }}.service"}}, {Path: "/etc/{{ .key }}"}},
	}
	b := &recipe.Package{
		Name:    "b",
		Units:   []recipe.Unit{{Name: "b@.service", After: []string{"a.service"}}, {Name: "c.service"}},
		Configs: []recipe.Config{{Path: "/etc/{{ .key }}"}},
		Files:   []recipe.File{{Path: "/etc/x"}},
	}
	want := []string{
		"b/package.toml: the unit c.service is also in package a",
		"b/package.toml: the file /etc/x is also in package a",
		"a/package.toml: units wait for one another: a.service after b@.service after a.service",
	}
	if diff := cmp.Diff(want, lines(recipe.Check([]*recipe.Package{a, b}))); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
	want = []string{"a/package.toml: no package declares the unit gone@{{ .key }}.service (declare it in a [[unit]])"}
	if diff := cmp.Diff(want, lines(recipe.CheckNames([]*recipe.Package{a, b}))); diff != "" {
		t.Errorf("CheckNames (-want +got):\n%s", diff)
	}
}

func TestDeclaration(t *testing.T) {
	for name, want := range map[string]string{"a.service": "a.service", "a@b.c.service": "a@.service", "a@.service": "a@.service", "a@{{ .key }}.service": "a@.service"} {
		if got := recipe.Declaration(name); got != want {
			t.Errorf("Declaration(%s) = %s, want %s", name, got, want)
		}
	}
}
