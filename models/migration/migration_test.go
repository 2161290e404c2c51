package migration_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
)

// one returns a set with a single migration, from format 1 to 2, of one step.
func one(t testing.TB, step string) migration.Set {
	t.Helper()
	set, rep := migration.Parse("step", []byte("[[migration]]\nformat = 2\n[[migration.step]]\n"+step))
	if err := rep.Err(); err != nil {
		t.Fatalf("Parse(%q): %v", step, err)
	}
	return set
}

func parse(t testing.TB, text string) document.Document {
	t.Helper()
	if text == "" {
		return document.Document{}
	}
	d, err := document.ParseTOML([]byte("[settings]\n" + text))
	if err != nil {
		t.Fatalf("ParseTOML(%q): %v", text, err)
	}
	return d
}

func TestSteps(t *testing.T) {
	const (
		rename  = "kind='rename'\nfrom='a.x'\nto='b.y'"
		guarded = rename + "\nonly='old'"
		swap    = "kind='move'\nfrom='a'\nto='a.b'"
		drop    = "kind='drop'\nkey='a'\nrestore='r'"
		dropIf  = "kind='drop'\nkey='a.x'\nonly='old'"
		forget  = "kind='drop'\nkey='m.*.x'"
		add     = "kind='add'\nkey='a.x'\nvalue=[1]"
		addAny  = "kind='add'\nkey='m.*.x'"
		mapping = "kind='map'\nkey='a.x'\nvalues=[['1', 1], [['l'], true]]"
		each    = "kind='map'\nkey='a.x'\nelements=true\nvalues=[['p', 'q']]"
		split   = "kind='split'\nfrom='a'\nto=['h','p']\nseparator=':'\ntypes=['string','integer']"
	)
	tests := []struct {
		name, step, in string
		forward, back  string // back is what comes back from forward
	}{
		{"rename", rename, "a.x=1\na.z=2", "b.y=1\na.z=2", "a.x=1\na.z=2"},
		{"rename of an absent key", rename, "a.z=2", "a.z=2", "a.z=2"},
		{"rename leaves a table alone", rename, "a.x.y=1", "a.x.y=1", "a.x.y=1"},
		{"rename onto a taken key", rename, "a.x=1\nb.y=2", "b.y=1", "a.x=1"},
		{"rename onto a table", rename, "a.x=1\nb.y.z=2", "b.y=1", "a.x=1"},
		{"rename below a leaf", rename, "a.x=1\nb=2", "b.y=1", "a.x=1"},
		{"guard that fits", guarded, "a.x='old'", "b.y='old'", "a.x='old'"},
		{"guard that does not", guarded, "a.x='mine'", "a.x='mine'", "a.x='mine'"},
		{"move below itself", swap, "a.p=1\na.q.r=2", "a.b.p=1\na.b.q.r=2", "a.p=1\na.q.r=2"},
		{"move of a leaf", swap, "a=1", "a.b=1", "a=1"},
		{"drop restores its value", drop, "a='mine'", "", "a='r'"},
		{"drop takes a table", drop, "a.b.c=1\nz=1", "z=1", "a='r'\nz=1"},
		{"guarded drop takes the old default", dropIf, "a.x='old'\na.y='old'", "a.y='old'", "a.y='old'"},
		{"guarded drop leaves a choice", dropIf, "a.x='mine'", "a.x='mine'", "a.x='mine'"},
		{"drop in every entry", forget, "m.a.x=1\nm.a.y=1\nm.b.x=1", "m.a.y=1", "m.a.y=1"},
		{"add", add, "", "a.x=[1]", ""},
		{"add keeps what is there", add, "a.x=5", "a.x=5", ""},
		{"add has no room below a leaf", add, "a=5", "a=5", "a=5"},
		{"add without value only goes back", addAny, "m.a.x=1\nm.a.y=2", "m.a.x=1\nm.a.y=2", "m.a.y=2"},
		{"map", mapping, "a.x='1'", "a.x=1", "a.x='1'"},
		{"map of a list as a whole", mapping, "a.x=['l']", "a.x=true", "a.x=['l']"},
		{"map leaves the rest", mapping, "a.x='2'", "a.x='2'", "a.x='2'"},
		{"map of elements", each, "a.x=['p','r',['p']]", "a.x=['q','r',['p']]", "a.x=['p','r',['p']]"},
		{"map of elements of no list", each, "a.x='p'", "a.x='p'", "a.x='p'"},
		{"split", split, "a='h:1'", "h='h'\np=1", "a='h:1'"},
		{"split with too many pieces", split, "a='::1:1'", "a='::1:1'", "a='::1:1'"},
		{"split of a number that would change", split, "a='h:01'", "a='h:01'", "a='h:01'"},
		{"split of another type", split, "a=1", "a=1", "a=1"},
		{"what would come apart otherwise is not joined", split, "h='::1'\np=1", "h='::1'\np=1", "h='::1'\np=1"},
		{"half of it is not joined", split, "h='x'", "h='x'", "h='x'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := one(t, tt.step)
			forward, err := set.Apply(parse(t, tt.in), 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(parse(t, tt.forward).TOML()), string(forward.TOML())); diff != "" {
				t.Errorf("forward of %q (-want +got):\n%s", tt.in, diff)
			}
			back, err := set.Apply(forward, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(parse(t, tt.back).TOML()), string(back.TOML())); diff != "" {
				t.Errorf("backward of %q (-want +got):\n%s", tt.forward, diff)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	set := load(t)
	tests := []struct {
		name     string
		set      migration.Set
		from, to int
		want     string
	}{
		{"same format needs no migration", migration.Set{}, 9, 9, ""},
		{"all the way", set, 1, 4, ""},
		{"all the way back", set, 4, 1, ""},
		{"newer than known", set, 5, 4, "unknown data format 5: the migrations here lead between formats 1 and 4"},
		{"to one that is not known", set, 4, 6, "unknown data format 6: the migrations here lead between formats 1 and 4"},
		{"before the first", set, 0, 4, "unknown data format 0: the migrations here lead between formats 1 and 4"},
		{"no migrations", migration.Set{}, 3, 1, "unknown data format 3: there are no migrations, so data of format 3 cannot become format 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.set.Apply(document.Document{}, tt.from, tt.to)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Apply({}, %d, %d): error (-want +got):\n%s", tt.from, tt.to, diff)
			}
			if (err != nil) != errors.Is(err, migration.ErrUnknownFormat) {
				t.Errorf("Apply({}, %d, %d) = %v, want an ErrUnknownFormat", tt.from, tt.to, err)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	set := load(t)
	next, rep := migration.Parse("next", []byte("[[migration]]\nformat = 5\n[[migration.step]]\nkind='rename'\nfrom='motd'\nto='message'"))
	if err := rep.Err(); err != nil {
		t.Fatal(err)
	}
	all, err := set.Join(next)
	if err != nil {
		t.Fatal(err)
	}
	if oldest, newest := all.Formats(); oldest != 1 || newest != 5 {
		t.Errorf("Formats after Join = %d, %d, want 1, 5", oldest, newest)
	}
	got, err := all.Apply(parse(t, "motd='x'\nntp.servers=[]"), 1, 5)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(parse(t, "boot.timeout=30\nmessage='x'\nntp.time-servers=[]").TOML()), string(got.TOML())); diff != "" {
		t.Errorf("Apply through both sets (-want +got):\n%s", diff)
	}
	if _, err := next.Join(set); err == nil || err.Error() != "join migrations: the first set ends with format 5, the second begins with 1" {
		t.Errorf("Join in the wrong order: error %v", err)
	}
	if same, err := (migration.Set{}).Join(set); err != nil || fmt.Sprint(same) != fmt.Sprint(set) {
		t.Errorf("Join with nothing = %v, %v", same, err)
	}
}

// Documents that use only the old names, and of the values only those that
// the steps do not lose, come back as they were.
func TestThereAndBack(t *testing.T) {
	set := load(t)
	r := rand.New(rand.NewPCG(3, 4))
	choices := []struct{ key, values string }{
		{"banner", `"Welcome"`}, // always there: the way back restores it
		{"motd", `"a" "b"`},
		{"ntp.servers", `[] ["x"]`},
		{"logging.level", `1 "x"`},
		{"logging.a.b", `1 2`},
		{"host-containers.a.superuser", `true false`},
		{"host-containers.b.superuser", `true`},
		{"host-containers.b.source", `"i"`},
		{"kernel.lockdown", `0 1 2 3 "other"`},
		{"modules.load", `["ip_vs"] ["x","ip_vs","ip_vs"] [] "ip_vs"`},
		{"updates.url", `"https://old.example.org/" "https://mine.example.org/"`},
		{"registry.a.address", `"h:1" "h" "::1" "h:x" ":0" 7`},
		{"registry.b.address", `"b:65535"`},
		{"power.profile", `"fast" "quiet" "other"`},
		{"proxy.host", `"h" "a://b" 1`},
		{"proxy.scheme", `"https" "s://" true`},
	}
	for range 3000 {
		var leaves []document.Leaf
		for i, c := range choices {
			if i > 0 && r.IntN(2) == 0 {
				continue
			}
			k, err := key.Parse(c.key)
			if err != nil {
				t.Fatal(err)
			}
			values := strings.Fields(c.values)
			leaves = append(leaves, document.Leaf{Key: k, Value: document.NewValue(values[r.IntN(len(values))])})
		}
		d := document.Of(leaves...)
		to := 2 + r.IntN(3)
		there, err := set.Apply(d, 1, to)
		if err != nil {
			t.Fatal(err)
		}
		back, err := set.Apply(there, to, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(d.TOML()), string(back.TOML())); diff != "" {
			t.Fatalf("from format 1 to %d and back (-want +got):\n%s", to, diff)
		}
	}
}
