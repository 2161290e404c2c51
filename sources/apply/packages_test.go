package apply

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// With the packages of each variant, the defaults apply, and once only.
func TestPackages(t *testing.T) {
	imageDir := realImage(t)
	names, err := variant.Names(variants.Files)
	must(t, err)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			v, err := variant.Load(variants.Files, name)
			must(t, err)
			b := newBench(t, imageDir, nil)
			req := applier.Request{
				Generation: 1, Settings: json.RawMessage(v.Defaults.JSON()),
				OS: applier.OS{Variant: name, Arch: v.Arch[0], Version: "1.0.0", Pretty: "Bulkhead", Build: "test"},
			}
			res := b.apply(context.Background(), req, func(applier.Item) {})
			if res.Status != applier.OK || len(res.Files) == 0 {
				t.Errorf("apply of the defaults: %s", asJSON(t, res))
			}
			res = b.apply(context.Background(), req, func(applier.Item) {})
			if res.Status != applier.Nothing {
				t.Errorf("second apply of the defaults: %s, want nothing", asJSON(t, res))
			}
		})
	}
}
