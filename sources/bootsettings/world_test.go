package bootsettings

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
	"github.com/bulkhead-os/bulkhead/sources/internal/esp"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/slots"
)

// A world is a node with slots, which are names here, and an ESP, which is a
// directory.
type world struct {
	t     *testing.T
	dir   string
	v     slots.View
	words string // that the kernel would not boot with
	stuck error  // of each change of the slots
	boots int
}

func rootOf(version string) string { return strings.Repeat("0", 64-len(version)) + version }

// newWorld returns a node with boot programs that has booted.
func newWorld(t *testing.T, files ...string) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.put("usr/lib/systemd/boot/efi/addonx64.efi.stub", stub())
	w.put("esp/"+SignedDir+"/debug.addon.efi", signedAddon(t, "debug"))
	w.put("esp/"+slots.Dir+"/somebody-else.efi.extra.d/x.addon.efi", []byte("x"))
	for i, f := range files {
		w.add(f)
		w.v.Slots = append(w.v.Slots, slots.Slot{Name: string(rune('A' + i)), Root: w.v.Entries[i].Root})
		if w.v.Entries[i].Name.State() == slots.Good {
			w.v.Memory.Good = append(w.v.Memory.Good, w.v.Entries[i].Root)
		}
	}
	w.boot()
	return w
}

func signedAddon(t *testing.T, name string) []byte {
	t.Helper()
	data, err := addon.Build(stub(), Word+name+" of-the-image")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *world) add(file string) {
	n, ok := slots.ParseName(file)
	if !ok {
		w.t.Fatal(file)
	}
	w.v.Entries = append(w.v.Entries, slots.Entry{File: file, Name: n, Root: rootOf(n.Version), SortKey: "bulkhead-test", Sort: n.Version, Cluster: uint32(len(w.v.Entries) + 1)})
}

func (w *world) put(file string, data []byte) {
	w.t.Helper()
	file = filepath.Join(w.dir, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

// The session of the slots.
func (w *world) view() slots.View { return w.v }
func (w *world) Close() error     { return nil }

func (w *world) carry(p slots.Plan) error {
	for _, s := range p {
		if w.stuck != nil {
			return w.stuck
		}
		switch x := s.(type) {
		case slots.Remember:
			w.v.Memory = x.Memory
		case slots.Rename:
			for i := range w.v.Entries {
				if w.v.Entries[i].File == x.From {
					w.v.Entries[i].File = x.To
					w.v.Entries[i].Name, _ = slots.ParseName(x.To)
				}
			}
		}
	}
	return nil
}

// boot has the loader and the stub do their part, until a version comes up, and
// that do what it does at first. It returns how often versions did not.
func (w *world) boot() (tries int) {
	w.t.Helper()
	for range 8 {
		next := w.v.Next()
		for i := range w.v.Entries {
			if e := &w.v.Entries[i]; e.File == next.File && e.Name.Counted {
				e.Name.Left, e.Name.Done = max(e.Name.Left-1, 0), e.Name.Done+1
				e.File = e.Name.String()
				next = e
			}
		}
		words := w.onESP(next.Name.Version)
		w.boots++
		w.v.Boot = slots.Boot{ID: fmt.Sprint(w.boots), Root: next.Root, Stub: `\EFI\Linux\` + next.File}
		if w.words != "" && strings.Contains(words, w.words) {
			tries++
			continue
		}
		w.put("proc/cmdline", []byte("quiet "+words+"\n"))
		if err := w.carry(w.v.Begin(time.Now())); err != nil {
			w.t.Fatal(err)
		}
		return tries
	}
	w.t.Fatalf("no version of %v comes up", w.v.Entries)
	return tries
}

// healthy keeps what runs.
func (w *world) healthy() {
	w.t.Helper()
	p, err := w.v.MarkGood()
	if err := errors.Join(err, w.carry(p)); err != nil {
		w.t.Fatal(err)
	}
}

// onESP returns the words that a version has.
func (w *world) onESP(version string) string {
	w.t.Helper()
	root, err := os.OpenRoot(filepath.Join(w.dir, "esp"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer root.Close()
	all, err := addons(root, extraDir(version), "")
	if err != nil {
		w.t.Fatal(err)
	}
	var words []string
	for _, data := range all {
		text, err := addon.Cmdline(data)
		if err != nil {
			w.t.Fatal(err)
		}
		words = append(words, text)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// run runs the program with settings, and returns the codes of what it reports.
func (w *world) run(settings string, opt options) []string {
	w.t.Helper()
	w.put("settings.toml", []byte(settings))
	opt.health = filepath.Join(w.dir, "health")
	m := machine{
		root: w.dir, esp: filepath.Join(w.dir, "esp"), mounted: true, state: filepath.Join(w.dir, "state"), none: filepath.Join(w.dir, "none"),
		openSlots: func(esp.Access) (session, error) { return w, nil },
	}
	err := opt.run(w.t.Context(), filepath.Join(w.dir, "settings.toml"), m, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if !errors.Is(err, w.stuck) {
		w.t.Fatalf("run with %q: %v", settings, err)
	}
	faults, err := healthfile.ReadAll(opt.health)
	if err != nil {
		w.t.Fatal(err)
	}
	codes := []string{}
	for _, f := range faults {
		codes = append(codes, string(f.Code))
	}
	return codes
}

// start runs the program as a boot does, stop as a node does that goes down.
func (w *world) start(settings string) []string { return w.run(settings, options{}) }

func (w *world) stop(settings string) { w.run(settings, options{install: true}) }

func (w *world) marked() bool {
	_, err := os.Stat(filepath.Join(w.dir, "none"))
	return err == nil
}

func (w *world) is(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

const (
	bad = "[kernel]\nmem = [\"1M\"]\n"
	two = "bulkhead-2.0.0.efi"
	one = "bulkhead-1.0.0.efi"
)

var ours = mark + " " + words
