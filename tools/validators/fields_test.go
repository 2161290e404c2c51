package validators_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

var update = flag.Bool("update", false, "write the lists of fields anew")

// The fields that settings.kubernetes.kubelet-extra may have are those of the
// kubelet's own types, at each version.
func TestKubeletFields(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.36", "1.37"} {
		bin, err := pinned.Program{
			Module: "packages/kubernetes-" + version, File: "tools/validators/kubeletfields/main.go",
			Output: "build/tools/kubeletfields-" + version,
		}.Build(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		want, err := run.Command{Args: []string{bin}}.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		file := root.Path("models", "settings", "kubernetes", "kubelet-"+version+".txt")
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s (-kubelet +file), to be written with -update:\n%s", file, diff)
		}
	}
}
