package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHidden(t *testing.T) {
	tests := []struct {
		name, value, shown string
		want               []string
	}{
		{"text", `"top secret"`, `"<redacted>"`, []string{"top secret"}},
		{"lines", `"first line\nsecond line\n"`, `"<redacted>"`, []string{"first line", "second line"}},
		{"short", `"abc"`, `"<redacted>"`, nil},
		{"member", `[{"user": "someone", "password": "hunter22"}]`, `[{"user": "someone", "password": "<redacted>"}]`, []string{"hunter22"}},
		{"number", `12345678`, `"<redacted>"`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, hidden(tt.value, tt.shown)); diff != "" {
				t.Errorf("hidden(%s, %s) (-want +got):\n%s", tt.value, tt.shown, diff)
			}
		})
	}
}
