package repo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Long work tells each tenth once, and short work nothing.
func TestTenths(t *testing.T) {
	tests := []struct {
		name        string
		total, step int64
		want        []int64
	}{
		{name: "short", total: 100, step: 1},
		{name: "nothing", total: 0, step: 1},
		{name: "long", total: long, step: long / 100, want: []int64{10, 20, 30, 40, 50, 60, 70, 80, 90}},
		{name: "large steps", total: long, step: long / 4, want: []int64{20, 50, 70}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int64
			f := tenths(tt.total, func(percent int64) { got = append(got, percent) })
			for done := tt.step; done <= tt.total; done += tt.step {
				f(done)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("tenths(%d) in steps of %d tells (-want +got):\n%s", tt.total, tt.step, diff)
			}
		})
	}
}
