package cage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/cage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

const self = "/test"

// The test binary, put into a cage, says what it sees there.
func TestMain(m *testing.M) {
	if os.Args[0] == self {
		names, _ := filepath.Glob("/*")
		os.Stdout.WriteString(strings.Join(names, " "))
		return
	}
	os.Exit(m.Run())
}

// caged builds this package's test without C, so that it needs nothing else in
// the cage.
func caged(t *testing.T) string {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := root.Go("test", "-c", "-o", dir+self, "./tools/cage")
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	if err := cmd.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCage(t *testing.T) {
	dir := caged(t)
	c, err := cage.New(t.Context(), dir, self)
	if errors.Is(err, cage.ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Command(self).Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != self {
		t.Errorf("files at the root of the cage: %s, want %s", got, self)
	}
}

func TestNewFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := cage.New(t.Context(), dir, "/none"); err == nil || !strings.HasPrefix(err.Error(), "run programs with "+dir) {
		t.Errorf("New of an empty directory: error %v, want one that names it", err)
	}
}
