package containersecrets_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/settings/containersecrets"
)

func TestParseValue(t *testing.T) {
	for _, s := range []string{"x", "two\nlines\n", strings.Repeat("x", 64<<10)} {
		if v, err := containersecrets.ParseValue(s); err != nil || v.String() != s {
			t.Errorf("ParseValue of %d bytes: %v, want them", len(s), err)
		}
	}
	for _, s := range []string{"", "hidden\x00", "hidden" + strings.Repeat("x", 64<<10)} {
		if _, err := containersecrets.ParseValue(s); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("ParseValue of %d bytes: %v, want an error without the secret", len(s), err)
		}
	}
}
