package bench

import (
	"slices"
	"time"
)

// A sample is how long each of many goes took.
type sample []time.Duration

// at returns the duration that the given share of the goes stayed within.
func (s sample) at(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(share * float64(len(sorted)))
	return sorted[min(i, len(sorted)-1)]
}

func (s sample) median() time.Duration { return s.at(0.5) }
