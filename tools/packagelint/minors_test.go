package packagelint_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// minors are the versions of Kubernetes that there are images with, and the patch
// that each is at.
var minors = map[string]string{"1.36": "3", "1.37": "1"}

// asNewest returns the text of a file as it would be for the newest version.
func asNewest(t *testing.T, file, minor string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	number := strings.TrimPrefix(minor, "1.")
	return strings.NewReplacer(
		"v"+minor+"."+minors[minor], "v1.37."+minors["1.37"], minor, "1.37", "gitMinor="+number, "gitMinor=37",
	).Replace(string(text))
}

// What there is for two versions of Kubernetes differs in their numbers alone, so
// that one more is a copy of the definitions and the choice of a version.
func TestMinorsDiffer(t *testing.T) {
	newest, err := filepath.Glob("../../variants/*-k8s-1.37*.toml")
	if err != nil || len(newest) == 0 {
		t.Fatalf("variants with Kubernetes 1.37: %v, %v, want some", newest, err)
	}
	newest = append(newest, "../../packages/kubernetes-1.37/package.toml")
	for minor := range minors {
		for _, file := range newest {
			other := strings.ReplaceAll(file, "1.37", minor)
			if diff := cmp.Diff(asNewest(t, file, "1.37"), asNewest(t, other, minor)); diff != "" {
				t.Errorf("%s and %s differ in more than the version:\n%s", file, other, diff)
			}
		}
	}
}

var staging = regexp.MustCompile(`(?m)^\tk8s\.io/[a-z-]+ => k8s\.io/[a-z-]+ v(.*)$`)

// A kubelet says which version it is, and all modules of Kubernetes that it is
// made of are of that version.
func TestKubernetesVersions(t *testing.T) {
	for minor, patch := range minors {
		version := minor + "." + patch
		dir := "../../packages/kubernetes-" + minor
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "k8s.io/kubernetes v" + version; !strings.Contains(string(mod), want) {
			t.Errorf("%s/go.mod does not have %s", dir, want)
		}
		found := staging.FindAllStringSubmatch(string(mod), -1)
		if len(found) < 30 {
			t.Errorf("%s/go.mod replaces %d modules of Kubernetes, want 30 or more", dir, len(found))
		}
		for _, m := range found {
			if want := "0" + strings.TrimPrefix(version, "1"); m[1] != want {
				t.Errorf("%s/go.mod: %s, want version %s", dir, strings.TrimSpace(m[0]), want)
			}
		}
		definition, err := os.ReadFile(filepath.Join(dir, "package.toml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
			if want := "-X " + name + ".gitVersion=v" + version + `"`; !strings.Contains(string(definition), want) {
				t.Errorf("%s/package.toml does not have %s", dir, want)
			}
		}
	}
}
