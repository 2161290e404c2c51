package kmod

import "testing"

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "", true},
		{"**", "abc", true},
		{"virtio:d00000002v*", "virtio:d00000002v00001AF4", true},
		{"virtio:d00000002v*", "virtio:d00000012v00001AF4", false},
		{"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", true},
		{"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i02", false},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		{"a?c", "abc", true},
		{"a?", "a", false},
		{"d002[0_2]*", "d0021x", true},
		{"d002[0_2]*", "d0023x", false},
		{"d[13_5]", "d4", true},
		{"d[13_5]", "d1", true},
		{"d[13_5]", "d2", false},
		{"[a", "a", false},
		{"*[ab", "ab", false},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("match(%q, %q) = %t, want %t", tt.pattern, tt.s, got, tt.want)
		}
	}
}

// However pattern and text look, matching ends, and a text fits itself where it
// holds nothing that means something in a pattern.
func FuzzMatch(f *testing.F) {
	f.Add("pci:v*d[0_9]?", "pci:v1d2x")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		match(pattern, s)
		if !match("*", s) || !match("*"+"*", s) {
			t.Errorf("match(%q, %q) = false", "*", s)
		}
	})
}
