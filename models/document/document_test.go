package document_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

func doc(t *testing.T, pairs ...string) document.Document {
	t.Helper()
	var leaves []document.Leaf
	for i := 0; i < len(pairs); i += 2 {
		k, err := key.Parse(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, document.Leaf{Key: k, Value: document.NewValue(pairs[i+1])})
	}
	return document.Of(leaves...)
}

func TestJSON(t *testing.T) {
	tests := []struct {
		name string
		doc  document.Document
		want string
	}{
		{"empty", doc(t), `{}`},
		{"nested", doc(t, "motd", `"x"`, "a.b.c", `1`, "a.b.d", `[1]`, "a.e", `true`, `k."x.y"`, `""`), `{"a":{"b":{"c":1,"d":[1]},"e":true},"k":{"x.y":""},"motd":"x"}`},
		{"sibling with a common start", doc(t, "a-b.c", `1`, "a.b", `2`, "ab.c", `3`), `{"a":{"b":2},"a-b":{"c":1},"ab":{"c":3}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(tt.doc.JSON())); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTOML(t *testing.T) {
	d := doc(t, "motd", `"a\"b\n"`, "kernel.sysctl.a/b", `"1"`, `kernel.sysctl."vm.max"`, `"2"`, "registry.mirrors", `[{"registry":"*","endpoint":["x","y"]},{"registry":"z"}]`, "kernel.lockdown", `"none"`, "x.commands", `[["a,b","b"],["c"]]`, "x.words", "[true,false]", "x.f", "0.5")
	want := `[settings]
motd = "a\"b\n"

[settings.kernel]
lockdown = "none"

[settings.kernel.sysctl]
"a/b" = "1"
"vm.max" = "2"

[settings.registry]
mirrors = [
  { registry = "*", endpoint = ["x", "y"] },
  { registry = "z" },
]

[settings.x]
commands = [["a,b", "b"], ["c"]]
f = 0.5
words = [true, false]
`
	if diff := cmp.Diff(want, string(d.TOML())); diff != "" {
		t.Errorf("TOML (-want +got):\n%s", diff)
	}
	back, err := document.ParseTOML(d.TOML())
	if err != nil || !back.Equal(d) {
		t.Errorf("ParseTOML(TOML()) = %s, %v, want %s", back.JSON(), err, d.JSON())
	}
}

func TestMergeApplyDiff(t *testing.T) {
	user := doc(t, "a.b", "1", "m.x", "1", "m.y", "2")
	defaults := doc(t, "a.b", "0", "a.c", "0", "z", "0")
	merged := document.Merge(user, defaults)
	if want := doc(t, "a.b", "1", "a.c", "0", "m.x", "1", "m.y", "2", "z", "0"); !merged.Equal(want) {
		t.Errorf("Merge = %s, want %s", merged.JSON(), want.JSON())
	}
	p := document.Patch{Unset: []key.Key{key.Of("m")}}.Then(document.Patch{Set: doc(t, "m.z", "3", "a.b", "5")})
	got := user.Apply(p)
	if want := doc(t, "a.b", "5", "m.z", "3"); !got.Equal(want) {
		t.Errorf("Apply = %s, want %s", got.JSON(), want.JSON())
	}
	if want := `{"a":{"b":5},"m":{"z":3}}`; string(p.JSON()) != want {
		t.Errorf("Patch.JSON = %s, want %s", p.JSON(), want)
	}
	nested := document.Patch{Unset: []key.Key{key.Of("a"), key.Of("a", "b"), key.Of("c", "d")}}
	if want := `{"a":null,"c":{"d":null}}`; string(nested.JSON()) != want {
		t.Errorf("Patch.JSON of nested unsets = %s, want %s", nested.JSON(), want)
	}
	all := document.Patch{Unset: []key.Key{{}, key.Of("a")}}
	if got := string(all.JSON()); got != "null" {
		t.Errorf("Patch.JSON of all unset = %s, want null", got)
	}
	if got, want := string(all.Then(p).JSON()), string(p.Set.JSON()); got != want {
		t.Errorf("Patch.JSON of all unset and some set = %s, want %s", got, want)
	}
	if got := user.Apply(all); got.Len() != 0 {
		t.Errorf("Apply of all unset = %s, want nothing", got.JSON())
	}
	var changes []string
	text := func(v *document.Value) string {
		if v == nil {
			return "-"
		}
		return v.JSON()
	}
	for _, c := range document.Diff(user, got) {
		changes = append(changes, fmt.Sprintf("%s %s %s", c.Key, text(c.Old), text(c.New)))
	}
	want := []string{"settings.a.b 1 5", "settings.m.x 1 -", "settings.m.y 2 -", "settings.m.z - 3"}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
}

// Applying patches one after the other is the same as applying their sum, and
// a difference leads from one document to the other.
func TestPatchLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c"}
	randomKey := func() key.Key {
		k := key.Key{}
		for range 1 + r.IntN(3) {
			k = k.Child(names[r.IntN(len(names))])
		}
		return k
	}
	// Leaves live at depth 3 only, so that no leaf is another's table.
	randomDoc := func() document.Document {
		var l []document.Leaf
		for range r.IntN(8) {
			k := key.Of(names[r.IntN(3)], names[r.IntN(3)], names[r.IntN(3)])
			l = append(l, document.Leaf{Key: k, Value: document.NewValue(fmt.Sprint(r.IntN(3)))})
		}
		return document.Of(l...)
	}
	randomPatch := func() document.Patch {
		p := document.Patch{Set: randomDoc()}
		switch r.IntN(6) {
		case 0, 1, 2:
			p = document.Patch{Unset: []key.Key{randomKey()}}.Then(p)
		case 3:
			p = document.Patch{Unset: []key.Key{{}}}.Then(p)
		}
		if !json.Valid(p.JSON()) {
			t.Fatalf("JSON of %+v is %s", p, p.JSON())
		}
		return p
	}
	for range 2000 {
		d, p, q := randomDoc(), randomPatch(), randomPatch()
		if one, two := d.Apply(p.Then(q)), d.Apply(p).Apply(q); !one.Equal(two) {
			t.Fatalf("%s: Apply(%s then %s) = %s, in steps %s", d.JSON(), p.JSON(), q.JSON(), one.JSON(), two.JSON())
		}
		e := randomDoc()
		var by document.Patch
		var set []document.Leaf
		for _, c := range document.Diff(d, e) {
			if c.New == nil {
				by.Unset = append(by.Unset, c.Key)
			} else {
				set = append(set, document.Leaf{Key: c.Key, Value: *c.New})
			}
		}
		by.Set = document.Of(set...)
		if got := d.Apply(by); !got.Equal(e) {
			t.Fatalf("Diff(%s, %s) leads to %s", d.JSON(), e.JSON(), got.JSON())
		}
		if back, err := document.ParseTOML(d.TOML()); err != nil || !back.Equal(d) {
			t.Fatalf("ParseTOML(TOML(%s)) = %s, %v", d.JSON(), back.JSON(), err)
		}
	}
}

// What is parsed prints back to a document that parses the same, so that a
// stored generation never changes by being read.
func FuzzParseTOML(f *testing.F) {
	f.Add("[settings]\nmotd = \"x\"\n[settings.a]\nb = [1, {c = 0.5}]\n")
	f.Add("[settings.kernel.sysctl]\n\"vm.max\" = '1'\n")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := document.ParseTOML([]byte(s))
		if err != nil {
			return
		}
		again, err := document.ParseTOML(d.TOML())
		if err != nil || !again.Equal(d) {
			t.Errorf("ParseTOML(%q) = %s, which prints as %q and parses as %s, %v", s, d.JSON(), d.TOML(), again.JSON(), err)
		}
	})
}
