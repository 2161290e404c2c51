package bench

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/daemon"
)

// goes is how often each document is validated.
const goes = 30

// validation measures reading a document of TOML and checking what it comes to
// with the variant's defaults.
func (b *bench) validation() error {
	b.progress("validation")
	v, err := variant.Load(os.DirFS(b.root.Path("variants")), daemon.Variant)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		doc  []byte
		bar  time.Duration
	}{
		{"validation of the user data, median", b.document, 3 * time.Millisecond},
		{"validation of a document of 1 MB, median", enlarge(b.document, 1_000_000), 100 * time.Millisecond},
	} {
		var took sample
		for range goes {
			begin := time.Now()
			if err := validate(v, m.doc).Err(); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			took = append(took, time.Since(begin))
		}
		b.add(m.name, "≤ "+milliseconds(m.bar), milliseconds(took.median()), took.median() <= m.bar)
	}
	return nil
}

// validate returns everything that is to be said about doc, warnings included.
func validate(v *variant.Variant, doc []byte) report.Report {
	in := v.Schema.ReadTOML(doc, schema.Options{})
	_, rep := v.Validate(document.Document{}.Apply(in.Patch), document.Document{})
	rep.Merge(in.Report)
	return rep
}

// enlarge adds to a document until it has size bytes: half in short entries of
// a map, of which there are then thousands, half in tables with a long string.
func enlarge(doc []byte, size int) []byte {
	const header = "[settings.kernel.sysctl]\n"
	before, after, _ := strings.Cut(string(doc), header)
	out := []byte(before + header)
	for n := 0; len(out)+len(after) < size/2; n++ {
		out = fmt.Appendf(out, "\"bench.number-%d\" = \"%d\"\n", n, n)
	}
	out = append(out, after...)
	manifest := strings.Repeat("YXBpVmVyc2lvbjogdjEK", 20)
	for n := 0; len(out) < size; n++ {
		out = fmt.Appendf(out, "\n[settings.kubernetes.static-pods.bench-%d]\nenabled = true\nmanifest = %q\n", n, manifest)
	}
	return out
}
