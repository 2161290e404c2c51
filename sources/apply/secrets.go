package apply

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// minSecret is the least length of a text that is taken for a secret. Shorter
// ones are in every other line, and no secret.
const minSecret = 6

// A censor hides secrets in what programs and the journal say.
type censor struct{ replacer *strings.Replacer }

// newCensor returns the censor for the secrets in settings.
func newCensor(s *schema.Schema, settings document.Document) censor {
	var found []string
	for k, v := range settings.All() {
		if shown := s.RedactValue(k, v); shown != v {
			found = append(found, hidden(v.JSON(), shown.JSON())...)
		}
	}
	// The replacer prefers what comes first: the longer one of two that begin
	// alike.
	slices.SortFunc(found, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, text := range slices.Compact(found) {
		pairs = append(pairs, text, scalar.Redacted)
	}
	return censor{strings.NewReplacer(pairs...)}
}

// hidden returns the texts in value, a JSON text, that are not in shown.
func hidden(value, shown string) []string {
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return nil // values are JSON by construction
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			for line := range strings.Lines(v) { // the journal is read by lines
				line = strings.TrimSpace(line)
				if len(line) >= minSecret && !strings.Contains(shown, line) {
					out = append(out, line)
				}
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

func (c censor) text(s string) string { return c.replacer.Replace(s) }

func (c censor) lines(lines []string) []string {
	for i := range lines {
		lines[i] = c.text(lines[i])
	}
	return lines
}
