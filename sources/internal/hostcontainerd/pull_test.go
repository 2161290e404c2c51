package hostcontainerd_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	fakeregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
	"github.com/bulkhead-os/bulkhead/tools/ociimage"
	"github.com/bulkhead-os/bulkhead/tools/registry"
)

// A faulty registry does with a request what a test says, and otherwise serves.
type faulty struct {
	*httptest.Server

	fault atomic.Pointer[func(w http.ResponseWriter, r *http.Request, serve http.Handler)]
	asked atomic.Int64
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{}
	serve := fakeregistry.New(fakeregistry.Logger(log.New(io.Discard, "", 0)))
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if fault := f.fault.Load(); fault != nil {
			(*fault)(w, r, serve)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *faulty) host() string { return strings.TrimPrefix(f.URL, "http://") }

func (f *faulty) set(fault func(w http.ResponseWriter, r *http.Request, serve http.Handler)) {
	f.fault.Store(&fault)
}

// push puts image into the registry, with faults switched off meanwhile.
func (f *faulty) push(t *testing.T, image v1.Image, name string) string {
	t.Helper()
	had := f.fault.Swap(nil)
	defer f.fault.Store(had)
	ref := f.host() + "/" + name
	if err := ociimage.Push(t.Context(), image, ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

func digestOf(t *testing.T, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// pull returns the digest of the image called ref.
func (l *lab) pull(ref string) (string, error) {
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	image, err := l.Image(ctx, ref, hostcontainerd.Proxy{})
	if err != nil {
		return "", err
	}
	return image.Target().Digest.String(), nil
}

// The newest image of a name is fetched; the copy from before serves when that
// fails in whatever way; what has a digest is fetched once.
func TestImage(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	first, second := l.image("N=1"), l.image("N=2")
	ref := f.push(t, first, "team/test:v1")
	fixed := f.host() + "/team/test@" + digestOf(t, first)
	expect := func(t *testing.T, ref string, want v1.Image) {
		t.Helper()
		if got, err := l.pull(ref); err != nil || got != digestOf(t, want) {
			t.Errorf("Image(%s): %s, %v, want %s", ref, got, err, digestOf(t, want))
		}
	}
	expect(t, ref, first)
	expect(t, fixed, first)
	f.push(t, second, "team/test:v1")
	asked := f.asked.Load()
	expect(t, fixed, first)
	if n := f.asked.Load(); n != asked {
		t.Errorf("an image that is here by its digest led to %d requests, want none", n-asked)
	}
	expect(t, ref, second)
	third := l.image("N=3")
	f.push(t, third, "team/test:v1")
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			f.set(fault)
			expect(t, ref, second)
		})
	}
	f.fault.Store(nil)
	expect(t, ref, third)
	f.Close()
	expect(t, ref, third)
}

type fault = func(w http.ResponseWriter, r *http.Request, serve http.Handler)

// faults returns ways in which a registry can fail.
func faults() map[string]fault {
	status := func(code int) fault {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(code) }
	}
	return map[string]fault{
		"unauthorized": status(http.StatusUnauthorized), "forbidden": status(http.StatusForbidden), "gone": status(http.StatusNotFound),
		"broken": status(http.StatusInternalServerError), "busy": status(http.StatusTooManyRequests),
		"cut off": func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		"corrupt": corrupt, "cut short": short,
	}
}

// corrupt changes a byte of each file that is fetched.
func corrupt(w http.ResponseWriter, r *http.Request, serve http.Handler) {
	altered(w, r, serve, func(data []byte) []byte {
		data[len(data)/2] ^= 1
		return data
	})
}

// short ends each file in its middle.
func short(w http.ResponseWriter, r *http.Request, serve http.Handler) {
	altered(w, r, serve, func(data []byte) []byte { return data[:len(data)/2] })
}

func altered(w http.ResponseWriter, r *http.Request, serve http.Handler, change func([]byte) []byte) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
		serve.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	serve.ServeHTTP(rec, r)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	if data := rec.Body.Bytes(); len(data) > 0 {
		_, _ = w.Write(change(data)) // the client may have gone
	}
}

// Without a copy an image is asked for again where that may help. What was wrong
// is in the error, and the right image comes once the registry has it.
func TestImageWithoutCopy(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	image := l.image("N=4")
	ref := f.push(t, image, "team/test:v2")
	for name, tt := range map[string]struct {
		words string // of the error
		again bool
	}{
		"unauthorized": {"the registry wants credentials", false}, "forbidden": {"the registry refuses to give it", false},
		"gone": {"the registry has no such image", false}, "broken": {"the registry does not work", true},
		"busy": {"the registry has too many requests", true}, "corrupt": {"what the registry gives is not what it promised", true},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int64
			f.set(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
				if strings.HasSuffix(r.URL.Path, "/manifests/v2") {
					tries.Add(1)
				}
				faults()[name](w, r, serve)
			})
			_, err := l.pull(ref)
			if err == nil || !strings.Contains(err.Error(), tt.words) || !strings.Contains(err.Error(), ref) {
				t.Errorf("Image(%s): error %v, want one with %q and the name", ref, err, tt.words)
			}
			if again := tries.Load() >= 5; again != tt.again {
				t.Errorf("Image(%s): %d requests for the name, which shows that it tried again: %t, want %t", ref, tries.Load(), again, tt.again)
			}
		})
	}
	f.fault.Store(nil)
	if got, err := l.pull(ref); err != nil || got != digestOf(t, image) {
		t.Errorf("Image(%s) of a registry that is well again: %s, %v, want %s", ref, got, err, digestOf(t, image))
	}
	// Twice busy, then not.
	other := f.push(t, l.image("N=5"), "team/other:v1")
	var busy atomic.Int64
	f.set(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		if busy.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve.ServeHTTP(w, r)
	})
	if _, err := l.pull(other); err != nil {
		t.Errorf("Image(%s) of a registry that was busy: %v, want it fetched at last", other, err)
	}
}

// A registry is reached through its mirrors, with the credentials of each.
func TestMirrorWithCredentials(t *testing.T) {
	l := newLab(t)
	users := filepath.Join(t.TempDir(), "users")
	// The hash of "password".
	if err := os.WriteFile(users, []byte("node:$2a$04$b9WI/eZ9VBPAu5SVlZZRBeJyvBb/PiGcL3onQUXx1TKfszXIV1RRW\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mirror := l.registry(registry.Options{HTPasswd: users})
	image := l.image("N=6")
	auth := remote.WithAuth(&authn.Basic{Username: "node", Password: "password"})
	if err := ociimage.Push(t.Context(), image, mirror.Addr+"/team/test:v1", auth); err != nil {
		t.Fatal(err)
	}
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	const ref = "registry.invalid/team/test:v1"
	l.write("etc/containerd/certs.d/registry.invalid/hosts.toml", `server = "https://registry.invalid"
[host."`+down.URL+`"]
capabilities = ["pull", "resolve"]
[host."http://`+mirror.Addr+`"]
capabilities = ["pull", "resolve"]
`)
	if _, err := l.pull(ref); err == nil {
		t.Errorf("Image(%s) without credentials: no error", ref)
	}
	for name, text := range map[string]string{
		"password": "username = \"node\"\npassword = \"password\"\n", "auth": "auth = \"bm9kZTpwYXNzd29yZA==\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			l.write("etc/containerd/credentials.toml", "[[credential]]\nhost = \""+mirror.Addr+"\"\n"+text)
			if got, err := l.pull(ref); err != nil || got != digestOf(t, image) {
				t.Errorf("Image(%s): %s, %v, want %s", ref, got, err, digestOf(t, image))
			}
		})
	}
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	file := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// Entries of a layer that lead out of it stay inside.
func TestHostileLayer(t *testing.T) {
	l := newLab(t)
	f := newFaulty(t)
	victim := filepath.Join(t.TempDir(), "victim")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "../../../../../../../../../../../.." + victim, Typeflag: tar.TypeReg},
		{Name: "way", Linkname: filepath.Dir(victim), Typeflag: tar.TypeSymlink},
		{Name: "way/victim", Typeflag: tar.TypeReg},
		{Name: "hard", Linkname: "../../../../../../etc/passwd", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	ref := f.push(t, image, "hostile:v1")
	_, pullErr := l.pull(ref) // it may be refused as well
	if _, err := os.Lstat(victim); !os.IsNotExist(err) {
		t.Errorf("after Image of a hostile layer (%v): Lstat(%s) = %v, want that it does not exist", pullErr, victim, err)
	}
}
