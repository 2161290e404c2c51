package hostcontainerd_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// What is part of the operating system is taken from there and from nowhere else,
// and another version of the operating system brings another one.
func TestEmbedded(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	stranger, old, renewed := l.image("N=10"), l.image("N=11"), l.image("N=12")
	ref := f.push(t, stranger, "team/part:v1")
	expect := func(what string, want v1.Image) {
		t.Helper()
		if got, err := l.pull(ref); err != nil || got != digestOf(t, want) {
			t.Errorf("Image(%s) %s: %s, %v, want %s", ref, what, got, err, digestOf(t, want))
		}
	}
	expect("out of a registry", stranger)
	f.set(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		t.Error("the registry is asked for what is part of the operating system")
		w.WriteHeader(http.StatusNotFound)
	})
	l.embed(old, ref)
	expect("of the operating system in place of the fetched one", old)
	expect("that is here", old)
	if got, err := l.Pull(t.Context(), ref, hostcontainerd.Proxy{}); err != nil || got.Target().Digest.String() != digestOf(t, old) {
		t.Errorf("Pull(%s): %v, %v, want that of the operating system", ref, got, err)
	}
	l.embed(renewed, ref)
	expect("of a newer operating system", renewed)
	l.embed(old, ref)
	expect("of the operating system before, again", old)
	l.start(l.definition(ref, "exit", "9"))
	if code := l.wait("one"); code != 9 {
		t.Errorf("exit status %d, want 9", code)
	}
	// An archive that cannot be read costs no container.
	archives, err := filepath.Glob(filepath.Join(l.dir, "images", "*.tar"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("archives: %q, %v, want one", archives, err)
	}
	if err := os.WriteFile(archives[0], []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect("whose archive is damaged", old)
}
