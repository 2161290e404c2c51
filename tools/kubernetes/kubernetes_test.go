package kubernetes_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

func release(t *testing.T, minor string) kubernetes.Release {
	t.Helper()
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	r, err := kubernetes.New(root, minor)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVersion(t *testing.T) {
	for _, minor := range []string{"1.36", "1.37"} {
		got, err := release(t, minor).Version()
		if want := regexp.MustCompile(`^v` + regexp.QuoteMeta(minor) + `\.\d+$`); err != nil || !want.MatchString(got) {
			t.Errorf("Version of %s = %q, %v, want a patch of it", minor, got, err)
		}
	}
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kubernetes.New(root, "1.2"); err == nil || !strings.Contains(err.Error(), "1.36, 1.37") {
		t.Errorf("New of a release that there is no package of: %v, want an error with those that there are", err)
	}
}

// The programs say what they are. It takes those that were built.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("runs programs of Kubernetes")
	}
	r := release(t, "1.37")
	if bin := r.Missing(); bin != "" {
		t.Skipf("%s is not built", bin)
	}
	version, err := r.Version()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range kubernetes.ControlPlane {
		path, err := r.Build(t.Context(), name, io.Discard)
		if err != nil || path != filepath.Join(r.Dir(), name) {
			t.Fatalf("Build(%s) = %s, %v, want it in %s", name, path, err, r.Dir())
		}
		want := "Kubernetes " + version
		if name == "etcd" {
			want = "etcd Version: "
		}
		out, err := run.Command{Args: []string{path, "--version"}}.Output(t.Context())
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s says %q, %v, want %q", name, out, err, want)
		}
	}
	if target, err := os.Readlink(filepath.Join(r.Dir(), "kube-scheduler")); err != nil || target != "kubernetes" {
		t.Errorf("kube-scheduler leads to %s, %v, want the file of all three", target, err)
	}
}
