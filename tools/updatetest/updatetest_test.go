package updatetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
	"github.com/bulkhead-os/bulkhead/tools/publish/repo"
)

var programs Programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "updatetest-")
	if err == nil {
		programs, err = Build(context.Background(), dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build programs:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir) // nothing depends on it
	os.Exit(code)
}

// A bench is a publisher with a server, and a node.
type bench struct {
	*testing.T
	*Publisher
	Node
	releases map[string]Release
	server   *httptest.Server
	handler  atomic.Pointer[http.Handler] // of what serves the repository
}

// newBench has released 1.0.0, which a node runs, and 1.1.0 after it.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, releases: map[string]Release{}}
	dir := t.TempDir()
	var err error
	b.Publisher, err = NewPublisher(dir, time.Now().Add(-time.Hour))
	b.must(err)
	first := Image(1, 600)
	b.release("1.0.0", first)
	b.release("1.1.0", Changed(first, 2, 30))
	b.serve(nil)
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*b.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(b.server.Close)
	b.Node = Node{Dir: t.TempDir(), Programs: programs, Slot: 4 * mebibyte}
	b.must(b.Install(b.releases["1.0.0"]))
	root, err := b.Root()
	b.must(err)
	b.must(b.Trust(root))
	b.must(b.Configure(b.server.URL, ""))
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) release(version string, root []byte) {
	b.Helper()
	b.releaseAs(version, root, repo.Addition{})
}

func (b *bench) releaseAs(version string, root []byte, a repo.Addition) {
	b.Helper()
	r, err := MakeRelease(b.Publisher.Dir+"-images", version, root)
	b.must(err)
	b.releases[version] = r
	b.must(b.Publish(b.Context(), r, a))
}

// daemon starts a program and waits until it listens on a socket. It is ended with the test.
func (b *bench) daemon(cmd *exec.Cmd, socket string) {
	b.Helper()
	name := filepath.Base(cmd.Path)
	var log strings.Builder
	cmd.Stderr = &log
	b.must(cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s ended with %v: %s", name, err, log.String())
		}
	})
	b.until(name+" listens", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// bundle returns a file with a version for nodes without a network: all of it, or the
// patches from another one.
func (b *bench) bundle(version, from string) string {
	b.Helper()
	var old update.Version
	s := repo.Selector{Variant: Variant, Arch: "x86_64"}
	b.must(s.Version.UnmarshalText([]byte(version)))
	if from != "" {
		b.must(old.UnmarshalText([]byte(from)))
	}
	file := filepath.Join(b.TempDir(), version+".bundle")
	v, err := repo.From(b.Publisher.Dir).View(b.Context(), nil, b.Publisher.Now)
	b.must(err)
	b.must(v.Bundle(b.Context(), s, old, file))
	return file
}

func (b *bench) run(words ...string) {
	b.Helper()
	if err := b.Updater(b.Context(), words...); err != nil {
		b.Fatalf("updater %q: %v", words, err)
	}
}

func (b *bench) status() updater.Status {
	b.Helper()
	s, err := b.Node.Status()
	b.must(err)
	return s
}

func (b *bench) wantState(want updater.State, staged string) updater.Status {
	b.Helper()
	s := b.status()
	got := ""
	if s.StagingPartition != nil {
		got = s.StagingPartition.Image.Version
	}
	if s.State != want || got != staged {
		b.Fatalf("state %s with %q staged, want %s with %q", s.State, got, want, staged)
	}
	return s
}

// wantNext fails unless the next boot is one of that version, of which the node has
// all.
func (b *bench) wantNext(version string) {
	b.Helper()
	slots, err := b.Slots(b.Context())
	b.must(err)
	for _, s := range slots {
		if s.Next {
			if s.Version != version {
				b.Errorf("the next boot is one of %s, want %s", s.Version, version)
			}
			b.must(b.Complete(b.releases[version]))
			return
		}
	}
	b.Errorf("nothing is booted next: %+v", slots)
}

func TestUpdate(t *testing.T) {
	b := newBench(t)
	b.run("refresh")
	s := b.wantState(updater.Available, "")
	if diff := cmp.Diff([]string{"1.1.0"}, s.AvailableUpdates); diff != "" || s.ChosenUpdate == nil || s.ChosenUpdate.Version != "1.1.0" {
		t.Errorf("after refresh: chosen %+v, available (-want +got):\n%s", s.ChosenUpdate, diff)
	}
	b.wantNext("1.0.0")
	b.run("prepare")
	s = b.wantState(updater.Staged, "1.1.0")
	if p := s.Progress; p.Patched+p.Reused+p.Fetched != p.Total || p.Total == 0 || p.Running || p.Reused < p.Total/3 {
		t.Errorf("after prepare: %+v, want a third of all from the running slot, and a sum that is right", p)
	}
	b.wantNext("1.0.0")
	out, err := b.Command(t.Context(), "activate", "--dry-run").Output()
	const plan = `running   1.0.0
version   1.1.0
would do  remember: version 1.1.0 is to be tried
          rename bulkhead-1.1.0.efi.staged to bulkhead-1.1.0+3.efi: it has 3 tries
`
	if err != nil || string(out) != plan {
		t.Errorf("activate --dry-run: %v\n%swant\n%s", err, out, plan)
	}
	b.wantState(updater.Staged, "1.1.0")
	b.run("activate")
	b.wantState(updater.Ready, "1.1.0")
	b.wantNext("1.1.0")
	b.run("deactivate")
	b.wantState(updater.Staged, "1.1.0")
	b.wantNext("1.0.0")
	b.run("apply")
	b.wantState(updater.Ready, "1.1.0")

	b.must(b.Boot(b.releases["1.1.0"]))
	b.must(b.Bless(t.Context()))
	b.run("wake")
	b.wantState(updater.Idle, "")
	b.wantNext("1.1.0")
	b.run("rollback")
	b.wantNext("1.0.0")
	b.must(b.Boot(b.releases["1.0.0"]))
	b.must(b.Bless(t.Context()))
	b.run("wake")
	s = b.status()
	events, err := updater.New(b.Places()).History(0)
	b.must(err)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %v", e.Kind, e.Version, e.OK))
	}
	want := []string{
		"rollback  true", "kept 1.1.0 true", "apply 1.1.0 true", "deactivate 1.1.0 true", "activate 1.1.0 true", "prepare 1.1.0 true", "refresh 1.1.0 true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	_ = s
}
