package validators_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/pinned"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

const kubeletConfig = "etc/kubernetes/kubelet/config.yaml"

// The kubelet starts with every golden configuration: besides their form, which
// TestGoldenFiles looks at, it accepts their values and what they are together.
// To build that part of it takes minutes for each version.
func TestKubeletSemantics(t *testing.T) {
	if os.Getenv("BULKHEAD_SOAK") == "" {
		t.Skip("BULKHEAD_SOAK is not set")
	}
	repository, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	golden := root + "/packages/testdata/golden"
	cases, err := fs.Glob(os.DirFS(golden), "*/*/"+kubeletConfig)
	if err != nil || len(cases) == 0 {
		t.Fatalf("golden configurations of the kubelet: %v, %v, want some", cases, err)
	}
	programs := map[string]string{}
	for _, c := range cases {
		name, _, _ := strings.Cut(c, "/")
		v, _ := load(t, name)
		if programs[v.Version] == "" {
			programs[v.Version] = semantics(t, repository, v.Version)
		}
		t.Run(path.Dir(strings.TrimSuffix(c, kubeletConfig)), func(t *testing.T) {
			if err := validate(t, programs[v.Version], filepath.Join(golden, c)); err != nil {
				t.Error(err)
			}
		})
	}
	bad := filepath.Join(t.TempDir(), "config.yaml")
	text := "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nimageGCHighThresholdPercent: 50\nimageGCLowThresholdPercent: 60\n"
	if err := os.WriteFile(bad, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for version, program := range programs {
		if err := validate(t, program, bad); err == nil || !strings.Contains(err.Error(), "imageGCLowThresholdPercent") {
			t.Errorf("kubelet %s about %q: error %v, want imageGCLowThresholdPercent in it", version, text, err)
		}
	}
}

// semantics returns the program that says what a kubelet of the version thinks
// of a configuration.
func semantics(t *testing.T, repository workspace.Root, version string) string {
	t.Helper()
	bin, err := pinned.Program{
		Module: "packages/kubernetes-" + version, File: "tools/validators/kubeletsemantics/main.go",
		Output: "build/tools/kubeletsemantics-" + version,
	}.Build(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func validate(t *testing.T, program, file string) error {
	t.Helper()
	return run.Command{Args: []string{program, file}}.Run(t.Context())
}
