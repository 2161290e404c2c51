package activation_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/activation"
)

// The test binary is the command that becomes the program, and the program: one
// that answers one connection and ends.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "become":
			fmt.Fprintln(os.Stderr, activation.Become(os.Args[2:]))
			os.Exit(1)
		case "answer":
			os.Exit(answer(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

func answer(word string) int {
	if word == "fail" {
		fmt.Fprintln(os.Stderr, "no image")
		return 1
	}
	if os.Getenv("LISTEN_FDS") != "1" || os.Getenv("LISTEN_PID") != fmt.Sprint(os.Getpid()) {
		return 2
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return 3
	}
	c, err := l.Accept()
	if err != nil {
		return 4
	}
	fmt.Fprintf(c, "%s %d", word, os.Getpid())
	c.Close()
	return 0
}

// serve serves a socket by the program that answers word, and returns its path
// and what ends it and returns the log.
func serve(t *testing.T, word string) (path string, end func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "activation-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	var log bytes.Buffer
	s, err := activation.Listen(path, []string{self, "become", self, "answer", word}, &log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return path, sync.OnceValue(func() string {
		cancel()
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return log.String()
	})
}

func ask(t *testing.T, path string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestEachConnectionStartsTheProgram(t *testing.T) {
	path, end := serve(t, "hello")
	defer end()
	processes := map[string]bool{}
	for range 3 {
		word, pid, _ := strings.Cut(ask(t, path), " ")
		if word != "hello" {
			t.Errorf("answer %q, want %q", word, "hello")
		}
		processes[pid] = true
	}
	if len(processes) != 3 {
		t.Errorf("processes that answered: %v, want 3", processes)
	}
	if diff := cmp.Diff("", end()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is there after Close, want it gone")
	}
}

func TestProgramFails(t *testing.T) {
	path, end := serve(t, "fail")
	defer end()
	for range 2 {
		if got := ask(t, path); got != "" {
			t.Errorf("answer %q, want the end of the connection", got)
		}
	}
	log := end()
	if n := strings.Count(log, "answer fail: exit status 1: no image\n"); n != 2 {
		t.Errorf("log %q tells of %d failures, want 2", log, n)
	}
}

func TestListenFails(t *testing.T) {
	if _, err := activation.Listen(filepath.Join(t.TempDir(), "none", "s"), nil, io.Discard); err == nil {
		t.Error("Listen in no directory: no error")
	}
}
