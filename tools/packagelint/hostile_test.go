package packagelint_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

// hostile are texts that mean something to some format.
var hostile = []string{
	"a\nb = 1", "a\r\nb", "a\rb", "a\tb", "a\x01b", "a\x1bb", "a\x7fb", "a\u0085b", "a\u2028b", "a\u2029b", "a\ufeffb",
	"'", "it's", `"`, `a"b`, `"quoted"`, "'quoted'", `"""`, "'''", `\`, `a\`, `a\nb`, `\x41`, `a\\`, "`reboot`",
	"{{", "{{ .key }}", "{{- end }}", "%", "%h", "%%", "a%20b", "$(id)", "$HOME", "${HOME}", "$$",
	"#", "# a", "a # b", "a#b", ";", "a ; b", "a;b", "//", "/* a */", "<!-- a -->", "]]>", "---", "...", "- a", "? a", "a: b", ": a",
	"&a", "*a", "!a", "|", ">", "@a", "[section]", "[[section]]", "key = value", "key=value", "=", "a=", "=a", "a,b", ",", "{a}", "{", "}", "[", "]",
	" a", "a ", "\ta", "a\t", " ", "a  b", "a b",
	"https://user:word@a", "https://a/b?c=d", "https://a/#b", "https://a/%", "https://a/%zz", "http:a", "mailto:a", "a:1", "[::1]:1", "[::1",
	"true", "no", "null", "~", "0", "1e3", "0x10", "2026-11-21", ".inf",
	"é", "日本", "🚀", "a\u0301", "\u202eabc", "..", ".", "../../a", "/a", "a/../b", "-a", "--a",
	strings.Repeat("a", 63), strings.Repeat("a", 253), strings.Repeat("a", 4096), strings.Repeat("é", 2048), strings.Repeat(`"`, 1024),
}

// harmless are texts of which one suits most slots. The second is for names where
// the first is taken.
var harmless = []string{"harmless", "innocuous", "harmless.example.org", "https://harmless.example.org/", "harmless:NoSchedule", "harmless.example.org/image:1"}

// settled are settings whose types refuse whatever their files cannot hold, so
// that rendering has nothing left to refuse.
var settled = []string{
	"settings.container-registry.mirrors", "settings.kernel.sysctl.", "settings.kubernetes.api-server", "settings.kubernetes.node-taints.",
	"settings.ntp.options",
}

// sampled is how long the test goes on without BULKHEAD_SOAK.
const sampled = 8 * time.Second

// What settings hold is either refused or ends up in files as the value that it
// is, and changes nothing else there.
func TestHostileText(t *testing.T) {
	s := &hostileTest{T: t, count: map[string]int{}}
	var work []func()
	for _, c := range load(t) {
		var last document.Document
		for _, mode := range slices.Sorted(maps.Keys(modes)) {
			doc := crowd(t, c, mode)
			if doc.Equal(last) {
				continue // the mode is not for this variant
			}
			last = doc
			base := s.render(c, c.Set, doc)
			for _, at := range slots(t, c.Schema, doc) {
				work = append(work, func() { s.slot(fitting{c, mode, readersOf(t, c, base, at.setting)}, at) })
			}
		}
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
	start, done := time.Now(), 0
	for _, w := range work {
		if os.Getenv("BULKHEAD_SOAK") == "" && time.Since(start) > sampled {
			break
		}
		w()
		done++
	}
	t.Logf("seed %d: %d of %d slots, texts: %v", seed, done, len(work), s.count)
}

type hostileTest struct {
	*testing.T
	count map[string]int // how many texts were refused, left out, carried and so on
}

// A filled is what comes of a text in a slot.
type filled struct {
	text   string // as it is stored
	result render.Result
	facts  map[string][]fact // by path; only of the files with the harmless text
}

// A fitting is a variant with what is rendered for a slot.
type fitting struct {
	packagelint.Composition
	mode string
	set  *render.Set
}

// readersOf returns the templates of c that may depend on setting: those whose
// files say so, and those that base has no files of. To render the others every
// time would take most of the time.
func readersOf(t *testing.T, c packagelint.Composition, base render.Result, setting key.Key) *render.Set {
	t.Helper()
	idle := map[string]bool{}
	for _, f := range base.Files {
		reads := slices.ContainsFunc(f.Reads, func(k key.Key) bool { return k.Under(setting) || setting.Under(k) })
		name := f.Package + "/" + f.Template
		was, seen := idle[name]
		idle[name] = !reads && (was || !seen)
	}
	var packages []*recipe.Package
	for _, p := range c.Packages {
		own := *p
		own.Configs = slices.DeleteFunc(slices.Clone(p.Configs), func(rc recipe.Config) bool { return idle[p.Name+"/"+rc.Template] })
		packages = append(packages, &own)
	}
	set, faults := render.Compile(packages)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return set
}

// slot fills one slot with every text.
func (s *hostileTest) slot(c fitting, at slot) {
	want, ok := s.harmless(c, at)
	if !ok {
		s.count["slots without a harmless text"]++
		s.Logf("no harmless text for %s of %s", at.name, c.Name)
		return
	}
	for _, text := range hostile {
		got, ok := s.fill(c, at, text)
		if !ok {
			s.count["refused"]++
			continue
		}
		if fault := s.compare(c, at, want, got); fault != "" {
			s.Errorf("variant %s, mode %s, %s = %q: %s", c.Name, c.mode, at.name, clipped(text), fault)
		}
	}
}

// harmless returns what comes of a text that is like any other.
func (s *hostileTest) harmless(c fitting, at slot) (filled, bool) {
	for _, text := range append(slices.Clone(harmless), at.now) {
		out, ok := s.fill(c, at, text)
		if !ok || len(out.result.Faults) > 0 {
			continue
		}
		out.facts = map[string][]fact{}
		for _, f := range out.result.Files {
			facts, err := factsIn(f)
			if err != nil {
				s.Fatalf("variant %s, %s = %q: %s: %v", c.Name, at.name, text, f.Path, err)
			}
			out.facts[f.Path] = facts
		}
		return out, true
	}
	return filled{}, false
}

// fill renders with text in the slot, unless the settings refuse it.
func (s *hostileTest) fill(c fitting, at slot, text string) (filled, bool) {
	in := c.Schema.Decode(at.put(text), schema.Options{})
	if in.Report.HasErrors() {
		return filled{}, false
	}
	doc := in.Patch.Set
	if rep := c.Schema.Check(doc); rep.HasErrors() {
		return filled{}, false
	}
	return filled{text: at.stored(s.T, doc, text), result: s.render(c.Composition, c.set, doc)}, true
}

func (s *hostileTest) render(c packagelint.Composition, set *render.Set, doc document.Document) render.Result {
	settings, err := render.NewSettings(c.Schema, doc)
	if err != nil {
		s.Fatal(err)
	}
	return set.Render(s.Context(), render.Input{Settings: settings, OS: image(c), Node: node})
}

// compare says what is wrong with what came of a text.
func (s *hostileTest) compare(c fitting, at slot, want, got filled) string {
	faulty := map[string]bool{}
	for _, f := range got.result.Faults {
		if k, err := key.Parse(f.Setting); err != nil || !k.Under(at.setting) {
			return fmt.Sprintf("want a fault that names file and setting, got %+v", f)
		}
		if has(got.result.Files, f.Path) {
			return fmt.Sprintf("%s is rendered in spite of the fault %v", f.Path, &f)
		}
		if slices.ContainsFunc(settled, func(name string) bool { return strings.HasPrefix(at.name, name) }) {
			return fmt.Sprintf("is accepted and then not rendered: %v", &f)
		}
		faulty[cmp.Or(f.Path, f.Package)] = true // without its path, the file is one of the package's
		s.count["faults"]++
	}
	var gone, new []fact
	same := map[string]bool{}
	for _, f := range got.result.Files {
		i := slices.IndexFunc(want.result.Files, func(w plan.File) bool { return w.Path == f.Path })
		if i >= 0 && bytes.Equal(want.result.Files[i].Content, f.Content) {
			same[f.Path] = true
			continue
		}
		facts, err := factsIn(f)
		if err != nil {
			return fmt.Sprintf("%s does not parse: %v\n%s", f.Path, err, f.Content)
		}
		new = append(new, facts...)
	}
	for _, f := range want.result.Files {
		if !same[f.Path] && !faulty[f.Path] && !(faulty[f.Package] && !has(got.result.Files, f.Path)) {
			gone = append(gone, want.facts[f.Path]...)
		}
	}
	gone, new = difference(gone, new), difference(new, gone)
	gone = withoutDropped(gone, new)
	if len(gone)+len(new) == 0 {
		s.count["shown nowhere"]++
		return ""
	}
	var diff string
	for _, change := range spellings(c, at, want.text, got.text) {
		as := slices.Clone(gone)
		for i, f := range as {
			as[i] = fact{change(f.file), change(f.at), change(f.value)}
		}
		if text := strings.TrimSpace(got.text); text == "" { // a message of blanks alone makes no file
			as = slices.DeleteFunc(as, func(f fact) bool { return f.file == "/etc/motd" })
		}
		as, new = sortedFacts(as), sortedFacts(new)
		if slices.Equal(as, new) {
			s.count["carried"]++
			return ""
		}
		if diff == "" {
			diff = gocmp.Diff(as, new, gocmp.AllowUnexported(fact{}))
		}
	}
	return fmt.Sprintf("facts (-as with %q +read):\n%s", want.text, clipped(diff))
}

// spellings returns what may become of the facts with the text safe, in turn.
func spellings(c fitting, at slot, safe, text string) []func(string) string {
	as := func(from, to string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, from, to) }
	}
	out := []func(string) string{as(safe, text)}
	if n, _ := c.Schema.Lookup(at.setting); n.Kind == schema.Leaf && strings.Contains(n.Describe().Type, "base64") {
		a, errA := base64.StdEncoding.DecodeString(safe)
		b, errB := base64.StdEncoding.DecodeString(text)
		if errA == nil && errB == nil {
			out = append(out, as(string(a), string(b)))
		}
	}
	if host, err := url.Parse(safe); err == nil && host.Host != "" { // its host may be shown, and without the slash at its end
		address := text
		if !strings.Contains(address, "://") { // a host with a port
			address = "https://" + address
		}
		to, _ := url.Parse(address)
		out = append(out, func(s string) string {
			s = strings.ReplaceAll(strings.ReplaceAll(s, safe, text), strings.TrimSuffix(safe, "/"), strings.TrimSuffix(text, "/"))
			if to != nil {
				s = strings.ReplaceAll(s, host.Hostname(), to.Hostname())
			}
			return s
		})
	}
	value, effect, isTaint := strings.Cut(text, ":")
	switch {
	case strings.HasSuffix(at.name, "mirrors[].endpoint[]"): // is given a scheme
		out = append(out, func(s string) string {
			s = strings.ReplaceAll(s, safe, "https://"+text)
			return strings.ReplaceAll(s, strings.TrimSuffix(safe, "/"), strings.TrimSuffix("https://"+text, "/"))
		})
	case isTaint && strings.HasPrefix(at.name, "settings.kubernetes.node-taints."):
		out = append(out, strings.NewReplacer("harmless", value, "NoSchedule", effect).Replace)
	case at.name == "settings.ntp.options[]": // of several words, perhaps
		out = append(out, as(" "+safe, strings.TrimRight(" "+strings.Join(strings.Fields(text), " "), " ")))
	case at.setting.Parent().String() == "settings.kernel.sysctl": // systemd-sysctl drops blanks around it
		out = append(out, as(safe, strings.Trim(text, " \t")))
	case at.name == "settings.kubernetes.container-runtime-endpoint": // a path, or with its scheme
		out = append(out, as(safe, "unix://"+text))
	}
	return out
}

func has(files []plan.File, path string) bool {
	return slices.ContainsFunc(files, func(f plan.File) bool { return f.Path == path })
}

// dropped are facts that may be missing: what a template leaves out because its
// program would refuse the whole file for it. Of all else, nothing may.
var dropped = []fact{
	{"/etc/docker/daemon.json", ".registry-mirrors", ""}, // takes fewer forms than containerd
	{"/etc/chrony/chrony.conf", "", "pool "},             // what is no name and no address
}

func withoutDropped(gone, new []fact) []fact {
	for _, d := range dropped {
		if !slices.ContainsFunc(new, d.covers) {
			gone = slices.DeleteFunc(gone, d.covers)
		}
	}
	return gone
}

// covers reports whether o stands at f or below, and begins as f does.
func (f fact) covers(o fact) bool {
	return o.file == f.file && strings.HasPrefix(o.at, f.at) && strings.HasPrefix(o.value, f.value)
}

func sortedFacts(f []fact) []fact { slices.SortFunc(f, compareFacts); return f }

// difference returns the facts of a that b does not have, as often as b lacks
// them.
func difference(a, b []fact) []fact {
	have := map[fact]int{}
	for _, f := range b {
		have[f]++
	}
	var out []fact
	for _, f := range a {
		if have[f]--; have[f] < 0 {
			out = append(out, f)
		}
	}
	return out
}

func clipped(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}
