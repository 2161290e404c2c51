package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

// A template that fails keeps its own file as it is, and no other.
func TestTemplateFails(t *testing.T) {
	tests := []struct {
		name, template, fault string
	}{
		{"when it runs", `{{ setting "motd" | content }}{{ fail "no clock" }}`, "template demo/clock.tmpl:1:34: no clock"},
		{"when it is read", `{{ frob }}`, `template demo/clock.tmpl:1: function "frob" not defined`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := newBench(t, demoImage(t, nil), nil)
			good.must(everything)
			old := good.file("etc/clock/clock.conf")
			good.image = demoImage(t, map[string]string{"clock.tmpl": tt.template})
			good.images = map[string]*image{}
			res := good.set(strings.Replace(everything, "hello", "goodbye", 1))
			want := []string{"update /etc/motd", "fault /etc/clock/clock.conf " + tt.fault}
			if diff := cmp.Diff(want, brief(res)); diff != "" || res.Status != applier.Failed {
				t.Errorf("apply with a template that fails: %s (-want +got):\n%s", res.Status, diff)
			}
			if got := good.file("etc/clock/clock.conf"); got != old {
				t.Errorf("the file of the template has %q, want %q as before", got, old)
			}
		})
	}
}

// What is wrong with one place on disk is told for the files there. The units
// that own them keep running with their old files.
func TestDiskFaults(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(t *testing.T, etc string)
		file   string // that is told
		fault  string // the end of its error
		mended func(t *testing.T, etc string)
	}{
		{
			"directory in the place of a file",
			func(t *testing.T, etc string) {
				must(t, os.Remove(filepath.Join(etc, "clock/clock.conf")))
				must(t, os.MkdirAll(filepath.Join(etc, "clock/clock.conf/sub"), 0o755))
			},
			"/etc/clock/clock.conf", "file exists",
			func(t *testing.T, etc string) { must(t, os.RemoveAll(filepath.Join(etc, "clock/clock.conf"))) },
		},
		{
			"file in the place of a directory",
			func(t *testing.T, etc string) {
				must(t, os.RemoveAll(filepath.Join(etc, "clock")))
				must(t, os.WriteFile(filepath.Join(etc, "clock"), nil, 0o644))
			},
			"/etc/clock/clock.conf", "not a directory",
			func(t *testing.T, etc string) { must(t, os.Remove(filepath.Join(etc, "clock"))) },
		},
		{
			"directory that leads out of the root",
			func(t *testing.T, etc string) {
				must(t, os.RemoveAll(filepath.Join(etc, "clock")))
				must(t, os.Symlink(t.TempDir(), filepath.Join(etc, "clock")))
			},
			"/etc/clock/clock.conf", "path escapes from parent",
			func(t *testing.T, etc string) { must(t, os.Remove(filepath.Join(etc, "clock"))) },
		},
		{
			"full disk",
			func(t *testing.T, etc string) {
				mount(t, filepath.Join(etc, "clock"), "size=64k")
				fill(t, filepath.Join(etc, "clock/ballast"))
			},
			"/etc/clock/clock.conf", "no space left on device",
			func(t *testing.T, etc string) { must(t, os.Remove(filepath.Join(etc, "clock/ballast"))) },
		},
		{
			"read-only disk",
			func(t *testing.T, etc string) {
				mount(t, filepath.Join(etc, "clock"), "")
				must(t, unix.Mount("", filepath.Join(etc, "clock"), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			},
			"/etc/clock/clock.conf", "read-only file system",
			func(t *testing.T, etc string) {
				must(t, unix.Mount("", filepath.Join(etc, "clock"), "", unix.MS_REMOUNT, ""))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newFake()
			b := newBench(t, demoImage(t, nil), m)
			b.must(`{"motd": "old"}`)
			m.take()
			etc := filepath.Join(b.dir, "etc")
			tt.spoil(t, etc)
			res := b.set(everything)
			faults := map[string]string{}
			for _, f := range res.Files {
				if f.Error != "" {
					faults[f.Path] = f.Error
				}
			}
			if got := faults[tt.file]; len(faults) != 1 || !strings.HasSuffix(got, tt.fault) {
				t.Errorf("faults of files: %q, want one of %s that ends in %q", faults, tt.file, tt.fault)
			}
			if got := b.file("etc/motd"); got != "hello" {
				t.Errorf("motd has %q, want the new text", got)
			}
			for _, call := range m.take() {
				if strings.Contains(call, "clock.service") {
					t.Errorf("%s: want the unit of the file left as it is", call)
				}
			}
			for _, f := range leftovers(t, b.dir) {
				t.Errorf("%s was left behind", f)
			}
			tt.mended(t, etc)
			b.must(everything)
			if got, want := b.file("etc/clock/clock.conf"), "server a.example\nserver b.example\n"; got != want {
				t.Errorf("after the next apply the file has %q, want %q", got, want)
			}
			if res := b.must(everything); res.Status != applier.Nothing {
				t.Errorf("one more apply: %q, want nothing", brief(res))
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mount puts a file system of its own at dir, with what dir has.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root's rights")
	}
	content, err := os.ReadFile(filepath.Join(dir, "clock.conf"))
	must(t, err)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, options))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	must(t, os.WriteFile(filepath.Join(dir, "clock.conf"), content, 0o644))
}

// fill writes until there is no space.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// leftovers returns the temporary files below dir.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), ".") {
			out = append(out, path)
		}
		return err
	}))
	return out
}

func TestRequestFaults(t *testing.T) {
	b := newBench(t, demoImage(t, nil), nil)
	tests := []struct{ name, variant, settings, want string }{
		{"unknown variant", "frob", `{}`, `there is no variant "frob", want one of demo`},
		{"unknown setting", "demo", `{"frob": 1}`, `settings.frob: there is no setting`},
		{"no settings", "demo", ``, `JSON ends too early`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := b.request(tt.settings)
			req.OS.Variant = tt.variant
			err := b.check(req)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("check of %s %s: %v, want %q in it", tt.variant, tt.settings, err, tt.want)
			}
		})
	}
}
