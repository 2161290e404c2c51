package bench

import (
	"testing"
	"time"
)

func TestSample(t *testing.T) {
	var hundred sample
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	tests := []struct {
		name  string
		in    sample
		share float64
		want  time.Duration
	}{
		{"nothing", nil, 0.5, 0},
		{"one", sample{7}, 0.99, 7},
		{"median of three", sample{9, 1, 5}, 0.5, 5},
		{"median of a hundred", hundred, 0.5, 51},
		{"99 of a hundred", hundred, 0.99, 100},
		{"all", hundred, 1, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.at(tt.share); got != tt.want {
				t.Errorf("at(%v) of %v = %v, want %v", tt.share, tt.in, got, tt.want)
			}
		})
	}
}
