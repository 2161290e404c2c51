package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

const (
	packagesDir  = "../../packages"
	documentsDir = packagesDir + "/testdata/documents"
)

// modes change the documents so that each setting is read in one of them.
var modes = map[string][]string{
	"tls": {"kubernetes.static-pods-enabled=true", "kubernetes.image-gc-high-threshold-percent=50"},
	"aws": {
		"kubernetes.authentication-mode=aws", "kubernetes.image-gc-high-threshold-percent=50",
		"image-verifier-plugins.enabled=false", "container-runtime.snapshotter=soci",
	},
}

// shadowed are settings that change nothing while the rest of the documents
// stays, by reason.
var shadowed = map[string]string{
	"kubernetes.cpu-manager-policy":                       "its options take the policy that there is",
	"kubernetes.standalone-mode":                          "is refused with an API server",
	"kubernetes.server-tls-bootstrap":                     "means nothing with a certificate of the server",
	"kubelet-device-plugins.nvidia.mps.replicas":          "GPUs are shared by time",
	"kubelet-device-plugins.nvidia.mps.rename-by-default": "GPUs are shared by time",
}

// Without BULKHEAD_SOAK the test goes on for swept, with one variant for each.
const (
	swept = 10 * time.Second
	each  = time.Second
)

// Each setting by itself changes the files whose templates read it and the
// units that own these, as the plan said before, once, and back.
func TestEverySetting(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // thousands of applies would wait for the disk most of the time
	}
	imageDir := realImage(t)
	names, err := variant.Names(variants.Files)
	must(t, err)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	count := map[string]int{}
	silent := map[string]bool{}
	soak, start := os.Getenv("BULKHEAD_SOAK") != "", time.Now()
	for _, name := range names {
		if !soak && time.Since(start) > swept {
			break
		}
		var last document.Document
		for _, mode := range slices.Sorted(maps.Keys(modes)) {
			s := newSweep(t, imageDir, name, mode)
			if s.base.Equal(last) {
				continue // the mode is not for this variant
			}
			last = s.base
			leaves := s.leaves()
			r.Shuffle(len(leaves), func(i, j int) { leaves[i], leaves[j] = leaves[j], leaves[i] })
			end := time.Now().Add(each)
			for _, leaf := range leaves {
				if !soak && time.Now().After(end) {
					break
				}
				ch, ok := s.change(leaf)
				if !ok {
					t.Errorf("variant %s, mode %s: no other value for settings.%s was accepted", name, mode, leaf)
					continue
				}
				done := s.try(ch)
				count["settings"]++
				count["files"] += len(done.files)
				count["units"] += len(done.units)
				was, seen := silent[leaf.String()]
				silent[leaf.String()] = len(done.files) == 0 && !s.readByProgram(ch.key) && (was || !seen)
			}
		}
	}
	t.Logf("seed %d: %v", seed, count)
	for leaf, is := range silent {
		if is && soak && shadowed[leaf] == "" {
			t.Errorf("settings.%s changed no file in any variant", leaf)
		}
	}
}

// realImage makes an image of the packages that there are.
func realImage(t *testing.T) string {
	t.Helper()
	packages, err := filepath.Abs(packagesDir)
	must(t, err)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "usr/share/bulkhead"), 0o755))
	must(t, os.Symlink(packages, filepath.Join(dir, "usr/share/bulkhead/packages")))
	return dir
}

// A sweep changes the settings of one variant, one after the other.
type sweep struct {
	*bench
	t    *testing.T
	v    *variant.Variant
	img  *image
	user document.Document // what base has beside the defaults
	base document.Document

	others []string // values that fit only those of the document

	cached   document.Document // what was rendered last without a change
	ofCached map[string]*plan.File
}

// newSweep returns a sweep that has applied a document with nearly everything
// in it.
func newSweep(t *testing.T, imageDir, name, mode string) *sweep {
	t.Helper()
	v, err := variant.Load(variants.Files, name)
	must(t, err)
	user := document.Document{}
	for _, doc := range []string{"rest", "nvidia", "ecs", "kubernetes-aws", "full"} {
		data, err := os.ReadFile(filepath.Join(documentsDir, doc+".toml"))
		must(t, err)
		user = user.Apply(v.Schema.ReadTOML(data, schema.Options{}).Patch) // without what the variant does not have
	}
	api := newRemote(t)
	user = user.Apply(v.Schema.ReadPairs(modes[mode]).Patch).Apply(v.Schema.ReadPairs(api.settings()).Patch)
	others := api.others
	if declaresContainers(v.Schema) {
		user = user.Apply(v.Schema.ReadPairs([]string{"updates.health-checks.inside.container=web", `updates.health-checks.inside.command=["/check"]`}).Patch)
		others = append(slices.Clone(others), "db") // the other container
	}
	base, rep := v.Validate(user, document.Document{})
	must(t, rep.Err())
	img, err := loadImage(imageDir, name)
	must(t, err)
	s := &sweep{bench: newBench(t, imageDir, nil), t: t, v: v, img: img, user: user, base: base, others: others}
	if res := s.applied(base); res.Status != applier.OK {
		t.Fatalf("variant %s: apply of everything: %s", name, asJSON(t, res))
	}
	return s
}

func (s *sweep) request(doc document.Document) applier.Request {
	s.next++
	return applier.Request{
		Generation: s.next, Settings: json.RawMessage(doc.JSON()),
		OS: applier.OS{Variant: s.v.Name, Arch: s.v.Arch[0], Version: "1.0.0", Pretty: "Bulkhead", Build: "test"},
	}
}

func (s *sweep) applied(doc document.Document) applier.Result {
	return s.apply(context.Background(), s.request(doc), func(applier.Item) {})
}

// readByProgram reports whether a package says that a program reads k, or a part
// of it, from the store.
func (s *sweep) readByProgram(k key.Key) bool {
	for _, p := range s.img.packages {
		for _, r := range p.Reads {
			if slices.ContainsFunc(r.Settings, k.Under) {
				return true
			}
		}
	}
	return false
}

// try makes one change and takes it back. It returns what the change came to.
func (s *sweep) try(ch changed) consequence {
	fault := func(format string, args ...any) {
		s.t.Errorf("variant %s, %s = %s: %s", s.v.Name, ch.key, ch.text, fmt.Sprintf(format, args...))
	}
	before := s.contents()
	planned, err := s.makePlan(context.Background(), s.request(ch.doc))
	must(s.t, err)
	if err := s.root.Remove(recordFile); err != nil && !errors.Is(err, fs.ErrNotExist) { // it would grow with each setting
		s.t.Fatal(err)
	}
	res := s.applied(ch.doc)
	if diff := cmp.Diff(inPlan(planned), brief(withoutNotes(res))); diff != "" {
		fault("the apply did other things than planned (-planned +done):\n%s", diff)
	}
	if res.Status == applier.Failed {
		fault("%s", asJSON(s.t, res))
	}
	after := s.contents()
	want := s.expected(ch)
	if diff := cmp.Diff(want.files, differing(before, after)); diff != "" {
		fault("other files changed than those whose templates read the setting (-want +got):\n%s", diff)
	}
	var told []string
	for _, line := range s.written() {
		verb, unit, ok := strings.Cut(line, " ")
		if !ok || verb == "run" {
			continue
		}
		if start := "start " + unit; slices.Contains(want.units, start) {
			line = start // to the Recorder it runs already
		}
		told = append(told, line)
	}
	slices.Sort(told)
	if diff := cmp.Diff(want.units, told); diff != "" {
		fault("other units were told than the owners of what changed (-want +got):\n%s", diff)
	}
	if res := s.applied(ch.doc); res.Status != applier.Nothing {
		fault("a second apply: %q, want nothing", brief(res))
	}
	if res := s.applied(s.base); res.Status == applier.Failed {
		fault("going back: %s", asJSON(s.t, res))
	}
	if diff := cmp.Diff(before, s.contents()); diff != "" {
		fault("going back left (-before +after):\n%s", diff)
	}
	return want
}

// written returns what was recorded, if anything.
func (s *sweep) written() []string {
	if _, err := s.root.Stat(recordFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.recorded()
}

// A consequence is what a change should come to.
type consequence struct{ files, units []string }

// expected renders both documents to find what the change should come to.
func (s *sweep) expected(ch changed) consequence {
	if !s.cached.Equal(s.base) || s.ofCached == nil {
		s.cached, s.ofCached = s.base, s.rendered(s.base)
	}
	old, new := s.ofCached, s.rendered(ch.doc)
	var out consequence
	verbs := map[string]string{}
	for path := range union(old, new) {
		a, b := old[path], new[path]
		if a != nil && b != nil && string(a.Content) == string(b.Content) {
			continue
		}
		f := b
		if f == nil {
			f = a
		}
		reads := func(f *plan.File) bool {
			return f != nil && slices.ContainsFunc(f.Reads, func(k key.Key) bool {
				k = s.v.Schema.Canonical(k)
				return ch.key.Under(k) || k.Under(ch.key)
			})
		}
		if !reads(a) && !reads(b) {
			s.t.Errorf("variant %s: %s changes with %s, which it does not read", s.v.Name, path, ch.key)
		}
		out.files = append(out.files, path)
		for _, unit := range f.Units {
			if verb := s.verb(unit, f.OnChange, old, new); verb != "" && verbs[unit] != "restart" {
				verbs[unit] = verb
			}
		}
	}
	for unit, verb := range verbs {
		out.units = append(out.units, verb+" "+unit)
	}
	slices.Sort(out.files)
	slices.Sort(out.units)
	return out
}

// verb returns what a unit is told for a change of one of its files. The
// Recorder has instances of template units run from their first start.
func (s *sweep) verb(unit string, on recipe.OnChange, old, new map[string]*plan.File) string {
	has := func(files map[string]*plan.File) bool {
		for _, f := range files {
			if slices.Contains(f.Units, unit) {
				return true
			}
		}
		return false
	}
	for _, p := range s.img.packages {
		for _, u := range p.Units {
			switch {
			case u.Name != recipe.Declaration(unit) || !u.WithFiles:
			case !has(new):
				return "stop"
			case !has(old):
				return "start"
			}
		}
	}
	switch on {
	case recipe.Restart, recipe.Reload:
		return string(on)
	case recipe.ReloadOrStart:
		return string(recipe.Reload)
	}
	return ""
}

func (s *sweep) rendered(doc document.Document) map[string]*plan.File {
	settings, err := render.NewSettings(s.v.Schema, doc)
	must(s.t, err)
	req := s.request(doc)
	r := s.img.set.Render(context.Background(), render.Input{Settings: settings, OS: s.img.facts(req.OS), Node: nodeFacts(req.OS.Region)})
	out := map[string]*plan.File{}
	for i := range r.Files {
		out[r.Files[i].Path] = &r.Files[i]
	}
	return out
}

func union(a, b map[string]*plan.File) map[string]bool {
	out := map[string]bool{}
	for path := range a {
		out[path] = true
	}
	for path := range b {
		out[path] = true
	}
	return out
}

// contents returns mode and contents of each file below the root, by path,
// without what apply writes for itself.
func (s *sweep) contents() map[string]string {
	out := map[string]string{}
	err := fs.WalkDir(s.root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if path == "run" {
			return fs.SkipDir
		}
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if !e.IsDir() {
			data, err := fs.ReadFile(s.root.FS(), path)
			if err != nil {
				return err
			}
			text += "\n" + string(data)
		}
		out["/"+path] = text
		return nil
	})
	must(s.t, err)
	return out
}

// differing returns the files, directories aside, that are not the same.
func differing(a, b map[string]string) []string {
	var out []string
	for path, text := range a {
		if b[path] != text && text[0] != 'd' {
			out = append(out, path)
		}
	}
	for path, text := range b {
		if a[path] == "" && text[0] != 'd' {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// inPlan returns the lines of brief that p promises.
func inPlan(p *plan.Plan) []string {
	var res applier.Result
	for _, f := range p.Files {
		res.Files = append(res.Files, applier.File{Path: f.Path, Action: f.Action})
	}
	for _, a := range p.Actions {
		res.Actions = append(res.Actions, applier.Action{Name: a.Name})
	}
	for _, u := range p.Units {
		res.Units = append(res.Units, applier.Unit{Name: u.Name, Action: u.Action})
	}
	return brief(res)
}

func withoutNotes(res applier.Result) applier.Result {
	res.Units = slices.Clone(res.Units)
	for i := range res.Units {
		res.Units[i].Note = ""
	}
	return res
}
