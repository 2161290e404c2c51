package provision

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// What a node says about itself, and to whom, is for its owner to decide: as it
// comes it sends no reports, names no place to send them to, and listens
// nowhere. Only machines of one's own wait for first settings on the network.
func TestQuietDefaults(t *testing.T) {
	names, err := variant.Names(variants.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		v, err := variant.Load(variants.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		waits := "false"
		if v.Platform == "metal" {
			waits = "true"
		}
		want := map[string]string{
			"metrics.send-metrics": "false", "metrics.metrics-url": "", "api.remote.enabled": "false", "api.maintenance.enabled": waits,
			"updates.metadata-base-url": "", "motd": `"Welcome to Bulkhead!"`,
		}
		got := map[string]string{}
		for text := range want {
			k, err := key.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := v.Defaults.Get(k)
			got[text] = value.JSON()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("defaults of %s (-want +got):\n%s", name, diff)
		}
	}
}
