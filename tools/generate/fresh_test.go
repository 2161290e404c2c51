package generate_test

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/tools/generate"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What is checked in is what the generators make of the tree it is in.
func TestGeneratedFilesAreFresh(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range generate.All() {
		t.Run(g.Name, func(t *testing.T) {
			stale, err := generate.Stale(t.Context(), root, g)
			if err != nil {
				t.Fatal(err)
			}
			if stale != "" {
				t.Errorf("%sto write them: go run ./tools/cmd/shipyard generate", stale)
			}
		})
	}
}
