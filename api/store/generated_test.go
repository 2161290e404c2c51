package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func generate(t testing.TB, s *Store, strength Strength, text string, unset ...string) {
	t.Helper()
	err := s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, text, unset...), Strength: strength, Actor: tester, Generator: "test"})
	if err != nil {
		t.Fatalf("SetGenerated(%s, %q, unset %v): %v", strength, text, unset, err)
	}
}

func wantGenerated(t testing.TB, s *Store, revision uint64, text string) {
	t.Helper()
	snap := s.Snapshot()
	if diff := cmp.Diff(string(parse(t, text).TOML()), string(snap.Generated.TOML())); diff != "" || snap.Revision != revision {
		t.Errorf("generated layer, revision %d, want %d (-want +got):\n%s", snap.Revision, revision, diff)
	}
}

func TestGenerated(t *testing.T) {
	n := newNode(t)
	s := n.open()
	change(t, s, "a = 1")
	n.told()
	generate(t, s, Strong, "a = 5\nseed = 7")
	generate(t, s, Weak, "image = 'v1'\nseed = 8") // a weak value leaves a strong one alone
	wantGenerated(t, s, 2, "a = 5\nimage = 'v1'\nseed = 7")
	wantEvents(t, n, "generated 1 a,seed", "generated 1 image")
	generate(t, s, Weak, "image = 'v1'") // nothing new
	wantGenerated(t, s, 2, "a = 5\nimage = 'v1'\nseed = 7")
	if got, want := string(s.Snapshot().Effective.JSON()), `{"a":1,"image":"v1","seed":7}`; got != want {
		t.Errorf("Effective = %s, want %s", got, want)
	}
	if got, want := s.Snapshot().ETag(), `"1-2"`; got != want {
		t.Errorf("ETag = %s, want %s", got, want)
	}
	generate(t, s, Weak, "seed = 9", "seed") // unless it is taken away first
	wantGenerated(t, s, 3, "a = 5\nimage = 'v1'\nseed = 9")
	generate(t, s, Strong, "seed = 7\nmap.x = 1\nmap.y = 1")
	generate(t, s, Strong, "", "map", "nothing")
	err := s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "b = 'bad'")})
	wantRefusal(t, "SetGenerated", err, "settings.b")
	err = s.SetGenerated(t.Context(), GeneratedRequest{Patch: set(t, "seed.x = 1")})
	wantRefusal(t, "SetGenerated below a value", err, "settings.seed.x")
	wantGenerated(t, s, 5, "a = 5\nimage = 'v1'\nseed = 7")
	s = n.reboot(s)
	wantGenerated(t, s, 5, "a = 5\nimage = 'v1'\nseed = 7")
}

func TestWeakValuesLastAVersion(t *testing.T) {
	n := newNode(t)
	s := n.open()
	generate(t, s, Weak, "image = 'v1'\nother = 1")
	generate(t, s, Strong, "seed = 7")
	n.stop(s)
	n.opt.Version = "1.1.0"
	s = n.open()
	wantGenerated(t, s, 3, "seed = 7")
	generate(t, s, Weak, "image = 'v2'")
	n.stop(s)
	wantGenerated(t, n.open(), 4, "image = 'v2'\nseed = 7")
}
