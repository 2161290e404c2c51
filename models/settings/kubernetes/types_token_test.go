package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
)

// A fault never shows a token.
func TestTokenIsNotShown(t *testing.T) {
	var tok kubernetes.BootstrapToken
	for _, in := range []string{"abcdef.0123456789ABCDEF", "abcdef-0123456789abcdef", "abcdef.0123"} {
		err := tok.UnmarshalText([]byte(in))
		if err == nil {
			t.Errorf("UnmarshalText(%q) = nil, want an error", in)
			continue
		}
		if got := err.Error(); len(got) > 80 || strings.Contains(got, in[:6]) {
			t.Errorf("UnmarshalText(%q): error %q shows the token", in, got)
		}
	}
}
