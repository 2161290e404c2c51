package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/policy"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// graph makes a graph out of lines "package: import import". Paths that begin
// with "./" are ours. Everything imported is a dependency, at any depth.
func graph(lines ...string) policy.Graph {
	full := func(p string) string {
		if rest, ok := strings.CutPrefix(p, "./"); ok {
			return workspace.Module + "/" + rest
		}
		return p
	}
	imports := map[string][]string{}
	var order []string
	for _, l := range lines {
		name, rest, _ := strings.Cut(l, ":")
		name = full(name)
		order = append(order, name)
		for _, imp := range strings.Fields(rest) {
			imports[name] = append(imports[name], full(imp))
		}
	}
	var deps func(p string) []string
	deps = func(p string) (all []string) {
		for _, imp := range imports[p] {
			all = append(append(all, imp), deps(imp)...)
		}
		return all
	}
	var g policy.Graph
	for _, name := range order {
		g = append(g, policy.Package{Path: name, Imports: imports[name], Deps: deps(name)})
	}
	return g
}

func TestArrows(t *testing.T) {
	tests := []struct {
		name  string
		graph policy.Graph
		want  []string // how each fault begins
	}{
		{
			name: "as it should be",
			graph: graph(
				"./models/scalar: fmt net/netip github.com/nlnwa/whatwg-url/url",
				"github.com/nlnwa/whatwg-url/url: net github.com/x/bits",
				"./api/client: ./models/scalar net/http",
				"./api/store: go.etcd.io/bbolt", "./api/server: github.com/go-chi/chi/v5 ./api/store",
				"./api/cli: ./api/client", "./api/cmd/apiclient: ./api/cli",
				"./sources/cmd/bulkhead: ./sources/apply ./sources/apiserver",
				"./sources/apply: ./sources/run", "./sources/apiserver: ./api/server ./sources/run",
				"./sources/operator: k8s.io/client-go ./api/client",
				"./tools/bench: ./models/scalar",
			),
		},
		{
			name:  "models turns round",
			graph: graph("./models/schema: ./api/store", "./api/store: go.etcd.io/bbolt"),
			want:  []string{"models/schema imports " + workspace.Module + "/api/store: "},
		},
		{
			name:  "models reads files",
			graph: graph("./models/document: os net/netip"),
			want:  []string{"models/document imports os: models computes"},
		},
		{
			name:  "nothing imports tools, however far away",
			graph: graph("./sources/apply: ./api/plan", "./api/plan: ./tools/run"),
			want: []string{
				"api/plan imports " + workspace.Module + "/tools/run: ",
				"sources/apply imports " + workspace.Module + "/tools/run: ",
			},
		},
		{
			name:  "bbolt and chi out of their places",
			graph: graph("./api/server: go.etcd.io/bbolt/errors", "./api/problem: github.com/go-chi/chi/v5"),
			want:  []string{"api/problem imports github.com/go-chi/chi/v5: ", "api/server imports go.etcd.io/bbolt/errors: "},
		},
		{
			name:  "the client carries a library",
			graph: graph("./api/client: github.com/coreos/go-systemd/v22/daemon"),
			want:  []string{"api/client imports github.com/coreos/go-systemd/v22/daemon: outsiders import the client"},
		},
		{
			name:  "apiclient carries the server",
			graph: graph("./api/cmd/apiclient: ./api/cli", "./api/cli: ./api/store"),
			want:  []string{"api/cmd/apiclient imports " + workspace.Module + "/api/store: "},
		},
		{
			name:  "a cloud on the host",
			graph: graph("./sources/provision: github.com/aws/aws-sdk-go-v2/config"),
			want:  []string{"sources/provision imports github.com/aws/aws-sdk-go-v2/config: client libraries of clouds"},
		},
		{
			name: "a program imports another",
			graph: graph(
				"./sources/cmd/bulkhead: ./sources/apply ./sources/apiserver",
				"./sources/apply: ./sources/apiserver", "./sources/apiserver: fmt",
			),
			want: []string{"sources/apply imports sources/apiserver: programs talk through the API"},
		},
		{
			name:  "variants imports",
			graph: graph("./variants: ./models/variant"),
			want:  []string{"variants imports " + workspace.Module + "/models/variant: variants is data"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := policy.Arrows(tt.graph)
			for i := range got {
				if i < len(tt.want) && strings.HasPrefix(got[i], tt.want[i]) {
					got[i] = tt.want[i]
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Arrows: beginnings of the faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Load sees what the go command sees.
func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{
		"go.work":          "go 1.26.0\n\nuse (\n\t./models\n\t./tools\n)\n",
		"models/go.mod":    "module " + workspace.Module + "/models\n\ngo 1.26.0\n",
		"models/a/a.go":    "package a\n\nimport _ \"" + workspace.Module + "/tools/run\"\n",
		"tools/go.mod":     "module " + workspace.Module + "/tools\n\ngo 1.26.0\n",
		"tools/run/run.go": "package run\n",
		// A test may import what it likes.
		"models/b/b.go":      "package b\n",
		"models/b/b_test.go": "package b_test\n\nimport _ \"" + workspace.Module + "/tools/run\"\n",
	})
	g, err := policy.Load(t.Context(), workspace.Root(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"models/a imports " + workspace.Module + "/tools/run: a program of a user's own imports models and must get nothing else of ours with it"}
	if diff := cmp.Diff(want, policy.Arrows(g)); diff != "" {
		t.Errorf("Arrows of the loaded graph (-want +got):\n%s", diff)
	}
}
