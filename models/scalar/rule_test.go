package scalar_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestEnum(t *testing.T) {
	tests := []struct {
		name  string
		words []string
		want  string
	}{
		{"one", []string{"a"}, "one of a"},
		{"two", []string{"a", "b"}, "one of a or b"},
		{"three", []string{"a", "b", "c"}, "one of a, b or c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := scalar.Enum("letter", tt.words...)
			want := scalar.Rule{Name: "letter", Want: tt.want, Enum: tt.words, Examples: []string{"a"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Enum(%q) (-want +got):\n%s", tt.words, diff)
			}
		})
	}
}

func TestBootstrapModeRule(t *testing.T) {
	want := []string{"off", "once", "always"}
	if diff := cmp.Diff(want, scalar.BootstrapMode("").Rule().Enum); diff != "" {
		t.Errorf("words of BootstrapMode (-want +got):\n%s", diff)
	}
}
