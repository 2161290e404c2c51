package bench

import (
	"testing"

	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// What is rendered in the bench renders without a fault.
func TestLargestVariantRenders(t *testing.T) {
	root, err := workspace.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	c, settings, err := largest(root)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Set.Render(t.Context(), render.Input{Settings: settings, Node: render.Node{CPUs: 2, Memory: 1 << 34}})
	for _, f := range r.Faults {
		t.Errorf("render %s for %s: %v", everything, c.Name, &f)
	}
	if len(r.Files) < 30 {
		t.Errorf("render %s for %s: %d files, want those of all packages", everything, c.Name, len(r.Files))
	}
}
