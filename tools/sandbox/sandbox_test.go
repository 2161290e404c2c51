package sandbox

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/activation"
)

// The test binary stands in for the programs when it is called by their names.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "become" {
		fmt.Fprintln(os.Stderr, activation.Become(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "sandbox" {
		os.Exit(standInShipyard(os.Args[2:]))
	}
	switch filepath.Base(os.Args[0]) {
	case "bulkhead":
		if os.Args[1] == "apply" {
			os.Exit(standInApply(os.Args[2:]))
		}
		os.Exit(standInDaemon(os.Args[1:]))
	case "apiclient":
		os.Exit(standInClient(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// standInApply answers one connection on the socket it was given, with what the
// image holds.
func standInApply(args []string) int {
	fs := flag.NewFlagSet("apply", flag.ExitOnError)
	root := fs.String("root", "", "")
	image := fs.String("image", "", "")
	units := fs.String("units", "", "")
	fs.Duration("idle", 0, "")
	if err := fs.Parse(args); err != nil || *root == "" || *units != "record" {
		return 2
	}
	if err := lock(*root, "apply"); err != nil {
		return 1
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return 1
	}
	c, err := l.Accept()
	if err != nil {
		return 1
	}
	defer c.Close()
	err = filepath.WalkDir(*image, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			fmt.Fprintln(c, strings.TrimPrefix(path, *image))
		}
		return err
	})
	if err != nil {
		return 1
	}
	if filepath.Base(filepath.Dir(*root)) == lingering {
		c.Close()
		awaitTermination()
	}
	return 0
}

// standInDaemon asks apply what the image holds and leaves the answer in its
// root. Then it answers /health on its socket until it is told to stop, or
// until somebody applies
// the word "die".
func standInDaemon(args []string) int {
	fs := flag.NewFlagSet("apiserver", flag.ExitOnError)
	root := fs.String("root", "", "")
	socket := fs.String("socket", "", "")
	variant := fs.String("variant", "", "")
	fs.String("image", "", "")
	apply := fs.String("apply-socket", "", "")
	if err := fs.Parse(args[1:]); err != nil || args[0] != "apiserver" || *root == "" {
		return 2
	}
	if *variant == "no-such" {
		fmt.Fprintln(os.Stderr, "bulkhead: variant no-such is not known")
		return 1
	}
	if err := lock(*root, "daemon"); err != nil {
		return 1
	}
	// It may be told to stop as soon as it answers. A second signal, while the
	// process ends, changes nothing.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	l, err := net.Listen("unix", *socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := askApply(*apply, filepath.Join(*root, "held")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	die := make(chan struct{})
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/die" {
			close(die)
		}
	}))
	select {
	case <-die:
		fmt.Fprintln(os.Stderr, "the disk is gone")
		return 3
	case <-stop:
		return 0
	}
}

func askApply(socket, file string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	held, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	return os.WriteFile(file, held, 0o644)
}

// standInClient applies a file by leaving it beside the socket.
func standInClient(args []string) int {
	if len(args) != 5 || args[0] != "--socket" || args[2] != "apply" || args[3] != "--wait" {
		return 2
	}
	data, err := os.ReadFile(args[4])
	if err != nil {
		return 1
	}
	switch string(data) {
	case "refused":
		fmt.Fprintln(os.Stderr, "apiclient: settings.motd: is refused")
		return 1
	case "die":
		client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", args[1])
		}}}
		client.Get("http://localhost/die")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(args[1]), "applied"), data, 0o644); err != nil {
		return 1
	}
	return 0
}

func standIns(t *testing.T) Programs {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := Programs{
		Bulkhead: filepath.Join(dir, "bulkhead"), Apiclient: filepath.Join(dir, "apiclient"), Become: []string{self, "become"},
	}
	for _, path := range []string{p.Bulkhead, p.Apiclient} {
		if err := os.Symlink(self, path); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// packages are those of a repository with one.
var packages = fstest.MapFS{
	"p/package.toml": {}, "p/p.conf.tmpl": {}, "p/p.service": {}, "testdata/documents/p.toml": {},
}

// shortDir is a directory whose sockets have paths the kernel takes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func userDataFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user-data.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// An interrupt is a writer that ends a context once it was told that all is
// set up, as a person does who has seen enough.
type interrupt struct {
	mu  sync.Mutex // guards b
	b   bytes.Buffer
	end context.CancelFunc
}

func (w *interrupt) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if strings.Contains(w.b.String(), "Ctrl-C here") {
		w.end()
	}
	return len(p), nil
}

func TestServeUntilInterrupted(t *testing.T) {
	tests := []struct {
		name string
		opt  func(dir string) Options
		kept bool
	}{
		{"in a new directory", func(d string) Options { return Options{Dir: d + "/s"} }, false},
		{"in a new directory that is kept", func(d string) Options { return Options{Dir: d + "/s", Keep: true} }, true},
		{"in a directory that was there", func(d string) Options { return Options{Dir: d} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := tt.opt(shortDir(t))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := &interrupt{end: cancel}
			if err := serve(ctx, standIns(t), packages, userDataFile(t, "motd"), opt, out); err != nil {
				t.Fatalf("serve: %v\n%s", err, out.b.String())
			}
			for _, want := range []string{
				"is ready, ", "export BULKHEAD_SOCKET=" + opt.Dir + "/api.sock", "ending the daemon",
			} {
				if !strings.Contains(out.b.String(), want) {
					t.Errorf("serve: output\n%swant %q in it", out.b.String(), want)
				}
			}
			held, err := os.ReadFile(filepath.Join(opt.Dir, "root", "held"))
			want := "/usr/lib/os-release\n/usr/share/bulkhead/packages/p/p.conf.tmpl\n/usr/share/bulkhead/packages/p/package.toml\n"
			if tt.kept && (err != nil || string(held) != want) {
				t.Errorf("what apply finds in the image: %q, %v, want %q", held, err, want)
			}
			said := strings.Contains(out.b.String(), "the state is kept in "+opt.Dir)
			applied, err := os.ReadFile(filepath.Join(opt.Dir, "applied"))
			if kept := err == nil && string(applied) == "motd"; kept != tt.kept || said != tt.kept {
				t.Errorf("serve: state kept %t, said so %t, want %t", kept, said, tt.kept)
			}
		})
	}
}

func TestServeFails(t *testing.T) {
	tests := []struct {
		name, data string
		opt        Options
		want       []string
	}{
		{
			name: "the user data is refused", data: "refused",
			want: []string{"apply the user data: ", "exit status 1: apiclient: settings.motd: is refused"},
		},
		{
			name: "the daemon does not start", opt: Options{Variant: "no-such"},
			want: []string{"the daemon ended by itself: ", "exit status 1", "its last lines:\n  bulkhead: variant no-such is not known"},
		},
		{
			name: "the daemon dies", data: "die",
			want: []string{"the daemon ended by itself: ", "exit status 3", "\n  the disk is gone"},
		},
		{
			name: "the path is too long for a socket", opt: Options{Dir: strings.Repeat("long", 30)},
			want: []string{"/apply.sock: the path has ", "want at most 107: choose a shorter directory"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := shortDir(t)
			tt.opt.Dir = filepath.Join(base, "s"+tt.opt.Dir)
			var out bytes.Buffer
			err := serve(t.Context(), standIns(t), packages, userDataFile(t, tt.data), tt.opt, &out)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("serve: error %v\nwant %q in it", err, want)
				}
			}
			left, err := os.ReadDir(base)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(0, len(left)); diff != "" {
				t.Errorf("serve: %v is left behind, want nothing", left)
			}
		})
	}
}

func TestServeNeedsUserData(t *testing.T) {
	base := shortDir(t)
	err := serve(t.Context(), standIns(t), packages, filepath.Join(base, "none.toml"), Options{Dir: base + "/s"}, &bytes.Buffer{})
	if err == nil || !strings.HasPrefix(err.Error(), "user data: stat ") {
		t.Errorf("serve without user data: error %v, want one about the file", err)
	}
	if _, err := os.Stat(base + "/s"); err == nil {
		t.Error("serve without user data: made its directory, want nothing done")
	}
}
