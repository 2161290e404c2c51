package plan_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// packages declares a few units: trust before containerd before kubelet, and
// host containers, which live with their files.
var packages = []*recipe.Package{
	{
		Name: "base",
		Units: []recipe.Unit{
			{Name: "trust.service"},
			{Name: "containerd.service", After: []string{"trust.service"}},
			{Name: "kubelet.service", After: []string{"containerd.service"}},
			{Name: "hc@.service", WithFiles: true, After: []string{"containerd.service"}},
			{Name: "helper.service", WithFiles: true, After: []string{"hc@.service"}},
		},
		Actions: []recipe.Action{{Name: "sysctl", Exec: []string{"/usr/bin/sysctl", "-a"}}},
	},
}

// file returns a file of the package base that units own.
func file(path, content string, onChange recipe.OnChange, units ...string) plan.File {
	return plan.File{Path: path, Package: "base", Template: "t.tmpl", Mode: 0o644, Owner: "root", Group: "root", Content: []byte(content), OnChange: onChange, Units: units}
}

// state is a host after files have been applied.
type state struct {
	disk map[string]plan.DiskFile
	done map[string]plan.Written
}

func applied(files ...plan.File) state {
	s := state{map[string]plan.DiskFile{}, map[string]plan.Written{}}
	for _, f := range files {
		s.disk[f.Path] = plan.DiskFile{Content: f.Content, Mode: f.Mode, Owner: f.Owner, Group: f.Group}
		s.done[f.Path] = f.Record()
	}
	return s
}

func (s state) plan(files []plan.File, faults ...plan.Fault) *plan.Plan {
	return plan.Make(plan.Input{Files: files, Faults: faults, Disk: s.disk, Previous: s.done, Packages: packages})
}

// summary is a plan in a few words, without differences.
func summary(p *plan.Plan) []string {
	var out []string
	for _, f := range p.Files {
		out = append(out, fmt.Sprintf("%s %s", f.Action, f.Path))
	}
	if p.DaemonReload {
		out = append(out, "daemon-reload")
	}
	for _, a := range p.Actions {
		out = append(out, fmt.Sprintf("run %s %v", a.Name, a.Because))
	}
	for _, u := range p.Units {
		verb := string(u.Action)
		if u.Starts {
			verb += " or start"
		}
		out = append(out, fmt.Sprintf("%s %s %v after %v", verb, u.Name, u.Because, u.After))
	}
	return out
}

func TestMake(t *testing.T) {
	const restart, reload, none = recipe.Restart, recipe.Reload, recipe.Nothing
	one := file("/etc/a", "1\n", restart, "kubelet.service")
	mode := one
	mode.Mode = 0o600
	owner := one
	owner.Owner = "chrony"
	cut := applied(one)
	cut.done = nil
	gone := applied(file("/etc/hc", "1", restart, "hc@1.service"))
	gone.disk = nil
	drifted := applied(one)
	drifted.disk["/etc/a"] = plan.DiskFile{Content: []byte("2"), Mode: 0o644, Owner: "root", Group: "root"}
	tests := []struct {
		name   string
		before state
		files  []plan.File
		faults []plan.Fault
		want   []string
	}{
		{name: "nothing", before: applied(one), files: []plan.File{one}},
		{name: "new file", files: []plan.File{one}, want: []string{"create /etc/a", "restart kubelet.service [/etc/a] after []"}},
		{name: "changed file", before: applied(file("/etc/a", "2", restart, "kubelet.service")), files: []plan.File{one}, want: []string{"update /etc/a", "restart kubelet.service [/etc/a] after []"}},
		{name: "changed by somebody else", before: drifted, files: []plan.File{one}, want: []string{"update /etc/a", "restart kubelet.service [/etc/a] after []"}},
		{name: "mode", before: applied(one), files: []plan.File{mode}, want: []string{"mode /etc/a"}},
		{name: "owner", before: applied(one), files: []plan.File{owner}, want: []string{"mode /etc/a"}},
		{name: "cut off after writing", before: cut, files: []plan.File{one}, want: []string{"settle /etc/a", "restart kubelet.service [/etc/a] after []"}},
		{name: "cut off after removing", before: gone, want: []string{"settle /etc/hc", "stop hc@1.service [/etc/hc] after []"}},
		{name: "file of no unit", files: []plan.File{file("/etc/motd", "x", none)}, want: []string{"create /etc/motd"}},
		{name: "unit of another image", files: []plan.File{file("/etc/x", "x", restart, "docker.service")}, want: []string{"create /etc/x"}},
		{name: "reload", files: []plan.File{file("/etc/x", "x", reload, "kubelet.service")}, want: []string{"create /etc/x", "reload kubelet.service [/etc/x] after []"}},
		{
			name: "reload of what need not run", before: applied(file("/etc/y", "y", recipe.ReloadOrStart, "kubelet.service")),
			files: []plan.File{file("/etc/x", "x", reload, "kubelet.service")},
			want:  []string{"create /etc/x", "remove /etc/y", "reload or start kubelet.service [/etc/x /etc/y] after []"},
		},
		{
			name: "restart is more than reload or start", files: []plan.File{file("/etc/x", "x", recipe.ReloadOrStart, "kubelet.service"), file("/etc/y", "y", restart, "kubelet.service")},
			want: []string{"create /etc/x", "create /etc/y", "restart kubelet.service [/etc/x /etc/y] after []"},
		},
		{
			name: "restart is more than reload", files: []plan.File{file("/etc/x", "x", reload, "kubelet.service"), file("/etc/y", "y", restart, "kubelet.service"), file("/etc/z", "z", none, "kubelet.service")},
			want: []string{"create /etc/x", "create /etc/y", "create /etc/z", "restart kubelet.service [/etc/x /etc/y] after []"},
		},
		{
			name: "action", files: []plan.File{file("/etc/x", "x", "sysctl", "kubelet.service"), file("/etc/y", "x", "sysctl")},
			want: []string{"create /etc/x", "create /etc/y", "run sysctl [/etc/x /etc/y]"},
		},
		{name: "unit file", files: []plan.File{file("/etc/systemd/system/x.service.d/a.conf", "x", none)}, want: []string{"create /etc/systemd/system/x.service.d/a.conf", "daemon-reload"}},
		{name: "first file of an instance", files: []plan.File{file("/etc/hc", "x", restart, "hc@1.service")}, want: []string{"create /etc/hc", "start hc@1.service [/etc/hc] after []"}},
		{
			name: "second file of an instance", before: applied(file("/etc/hc", "x", restart, "hc@1.service")), files: []plan.File{file("/etc/hc", "x", restart, "hc@1.service"), file("/etc/hd", "x", restart, "hc@1.service")},
			want: []string{"create /etc/hd", "restart hc@1.service [/etc/hd] after []"},
		},
		{
			name: "one of two files of an instance goes", before: applied(file("/etc/hc", "x", restart, "hc@1.service"), file("/etc/hd", "x", restart, "hc@1.service")), files: []plan.File{file("/etc/hc", "x", restart, "hc@1.service")},
			want: []string{"remove /etc/hd", "restart hc@1.service [/etc/hd] after []"},
		},
		{name: "last file of an instance goes", before: applied(file("/etc/hc", "x", restart, "hc@1.service")), want: []string{"remove /etc/hc", "stop hc@1.service [/etc/hc] after []"}},
		{name: "file of another unit goes", before: applied(one), want: []string{"remove /etc/a", "restart kubelet.service [/etc/a] after []"}},
		{name: "file that nobody wrote", before: state{disk: map[string]plan.DiskFile{"/etc/x": {}}}},
		{name: "fault of a file", before: applied(one, file("/etc/b", "b", none)), faults: []plan.Fault{{Path: "/etc/a"}}, want: []string{"remove /etc/b"}},
		{name: "fault of an instance", before: applied(file("/etc/hc", "x", restart, "hc@1.service"), file("/etc/hd", "x", restart, "hc@1.service")), faults: []plan.Fault{{Path: "/etc/hc"}}, want: []string{"remove /etc/hd", "restart hc@1.service [/etc/hd] after []"}},
		{name: "fault of a file without name", before: applied(one, file("/etc/b", "b", none)), faults: []plan.Fault{{Package: "base"}}},
		{
			name: "order", files: []plan.File{file("/etc/x", "x", restart, "kubelet.service", "containerd.service", "trust.service", "hc@2.service", "hc@1.service", "helper.service")},
			want: []string{
				"create /etc/x",
				"restart trust.service [/etc/x] after []",
				"restart containerd.service [/etc/x] after [trust.service]",
				"start hc@1.service [/etc/x] after [containerd.service trust.service]",
				"start hc@2.service [/etc/x] after [containerd.service trust.service]",
				"start helper.service [/etc/x] after [containerd.service hc@1.service hc@2.service trust.service]",
				"restart kubelet.service [/etc/x] after [containerd.service trust.service]",
			},
		},
		{
			name: "order by way of a unit that stays", files: []plan.File{file("/etc/x", "x", restart, "kubelet.service", "trust.service")},
			want: []string{"create /etc/x", "restart trust.service [/etc/x] after []", "restart kubelet.service [/etc/x] after [trust.service]"},
		},
		{
			name: "stops come first and backwards", before: applied(file("/etc/x", "x", restart, "hc@1.service", "helper.service", "trust.service")),
			want: []string{
				"remove /etc/x",
				"stop helper.service [/etc/x] after []",
				"stop hc@1.service [/etc/x] after [helper.service]",
				"restart trust.service [/etc/x] after []",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.before.plan(tt.files, tt.faults...)
			if diff := cmp.Diff(tt.want, summary(p)); diff != "" {
				t.Errorf("Make (-want +got):\n%s", diff)
			}
			if p.IsEmpty() != (tt.want == nil) {
				t.Errorf("IsEmpty() = %t for %v", p.IsEmpty(), summary(p))
			}
		})
	}
}

// From any state to any other: what is planned leads there, then nothing is
// left to do, and the order keeps to what waits for what.
func TestPlansLeadWhereTheyShould(t *testing.T) {
	units := []string{"trust.service", "containerd.service", "kubelet.service", "hc@1.service", "hc@2.service", "helper.service"}
	reactions := []recipe.OnChange{recipe.Restart, recipe.Reload, recipe.Nothing, "sysctl"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		some := func() []plan.File {
			var out []plan.File
			for i := range 8 {
				if r.IntN(2) == 0 {
					f := file(fmt.Sprintf("/etc/%d", i), strings.Repeat("x", r.IntN(3)), reactions[r.IntN(4)], units[r.IntN(6)], units[r.IntN(6)])
					f.Mode = []fs.FileMode{0o644, 0o600}[r.IntN(2)]
					f.Units = slices.Compact(f.Units)
					out = append(out, f)
				}
			}
			return out
		}
		before, after := applied(some()...), some()
		p := before.plan(after)
		if left := carryOut(before, p, after).plan(after); !left.IsEmpty() {
			t.Fatalf("seed %d: after the plan there is still to do: %v", seed, summary(left))
		}
		seen := map[string]bool{}
		for _, u := range p.Units {
			for _, first := range u.After {
				if !seen[first] {
					t.Errorf("seed %d: %s comes before %s: %v", seed, u.Name, first, summary(p))
				}
			}
			seen[u.Name] = true
		}
		if again := before.plan(after); !cmp.Equal(summary(p), summary(again)) {
			t.Errorf("seed %d: the same input gives another plan (-first +second):\n%s", seed, cmp.Diff(summary(p), summary(again)))
		}
	}
}

// carryOut does what p says about files, and remembers that it is done.
func carryOut(s state, p *plan.Plan, files []plan.File) state {
	disk := maps.Clone(s.disk)
	for _, f := range p.Files {
		content := f.Content
		switch f.Action {
		case plan.Remove:
			delete(disk, f.Path)
			continue
		case plan.Chmod:
			content = disk[f.Path].Content
		case plan.Settle:
			continue
		}
		disk[f.Path] = plan.DiskFile{Content: content, Mode: fs.FileMode(f.Mode), Owner: f.Owner, Group: f.Group}
	}
	return state{disk, applied(files...).done}
}

func TestSecretsAreNotShown(t *testing.T) {
	secret := file("/etc/key", "hunter2\n", recipe.Nothing)
	secret.Secret = true
	open := secret
	open.Secret, open.Content = false, []byte("public\n")
	other := secret
	other.Content = []byte("hunter3\n")
	tests := []struct {
		name          string
		before, after []plan.File
	}{
		{"created", nil, []plan.File{secret}},
		{"changed", []plan.File{secret}, []plan.File{other}},
		{"removed", []plan.File{secret}, nil},
		{"no longer secret", []plan.File{secret}, []plan.File{open}},
		{"secret from now on", []plan.File{open}, []plan.File{secret}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := applied(tt.before...).plan(tt.after)
			asJSON, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := p.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(asJSON)+text.String(), "hunter") || len(p.Files) != 1 {
				t.Errorf("plan shows a secret:\n%s\n%s", asJSON, text.String())
			}
		})
	}
}

func TestPrint(t *testing.T) {
	before, after := document.StringValue("a"), document.StringValue("b\x1b")
	old := file("/etc/motd", "one\ntwo\nthree\x1b[31m\n", recipe.Nothing)
	secret := file("/etc/key", "x", recipe.Restart, "kubelet.service")
	secret.Secret, secret.Mode = true, 0o600
	p := plan.Make(plan.Input{
		Changes: []document.Change{{Key: key.Of("motd"), Old: &before, New: &after}, {Key: key.Of("aws", "region"), Old: &before}},
		Files: []plan.File{
			file("/etc/motd", "one\ntwo!\nthree\n", recipe.Nothing), secret, file("/etc/sysctl", "a\n", "sysctl"),
			file("/etc/systemd/system/a.service", "", recipe.Restart, "trust.service"), file("/etc/done", "done", recipe.Reload, "containerd.service"),
		},
		Faults:   []plan.Fault{{Package: "base", Template: "x.tmpl", Line: 3, Column: 4, Path: "/etc/x", Setting: "settings.motd", Detail: "needs settings.motd, which is not set"}},
		Disk:     map[string]plan.DiskFile{"/etc/motd": {Content: old.Content, Mode: 0o644, Owner: "root", Group: "root"}, "/etc/done": {Content: []byte("done"), Mode: 0o644, Owner: "root", Group: "root"}, "/etc/gone": {Content: []byte("bye")}},
		Previous: map[string]plan.Written{"/etc/motd": old.Record(), "/etc/gone": {Hash: plan.Hash([]byte("bye"))}},
		Packages: packages,
	})
	var text strings.Builder
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", text.String())
	asJSON, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", string(asJSON)+"\n")
	var back struct{ Files []plan.FileChange }
	if err := json.Unmarshal(asJSON, &back); err != nil || len(back.Files) != len(p.Files) || back.Files[2].Mode != p.Files[2].Mode {
		t.Errorf("the plan is read from its JSON as %+v, error %v", back, err)
	}
	text.Reset()
	if err := plan.Make(plan.Input{}).WriteText(&text); err != nil || text.String() != "nothing to do\n" {
		t.Errorf("WriteText of an empty plan = %q, %v", text.String(), err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), to accept it run with -update:\n%s", path, diff)
	}
}
