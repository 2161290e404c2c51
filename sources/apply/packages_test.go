package apply

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/variants"
)

// With the packages of each variant, the defaults apply, and once only.
func TestPackages(t *testing.T) {
	packages, err := filepath.Abs("../../packages")
	must(t, err)
	imageDir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(imageDir, "usr/share/bulkhead"), 0o755))
	must(t, os.Symlink(packages, filepath.Join(imageDir, "usr/share/bulkhead/packages")))
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
