package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Seeds is how many places there are in a roll-out: nodes have the seeds 0 to
// Seeds-1.
const Seeds = 2048

// Waves says when a release is offered to whom: points of a seed and a time,
// between which offers spread evenly. No waves at all means at once.
//
// In a manifest it is an object of seeds and RFC 3339 times, which ascend
// together.
type Waves map[uint32]time.Time

// An Offer is the place of a node in a roll-out.
type Offer struct {
	Wave int       // counted from 1; 0 where there are no waves
	At   time.Time // from then on the release is offered; zero means at once
}

// Offer returns when the node with seed is offered the release.
//
// Between two points the time is interpolated from the earlier one: start +
// (end - start) / (end key - start key) × (seed - start key). Who is at the
// first point or below begins with it, and who is above the last point is
// offered the release at the last time, all in one step.
func (w Waves) Offer(seed uint32) (Offer, error) {
	if seed >= Seeds {
		return Offer{}, fmt.Errorf("seed %d is not in 0 to %d", seed, Seeds-1)
	}
	if len(w) == 0 {
		return Offer{}, nil
	}
	keys := w.keys()
	next, exact := slices.BinarySearch(keys, seed)
	switch {
	case next == 0:
		return Offer{Wave: 1, At: w[keys[0]]}, nil
	case exact:
		return Offer{Wave: next, At: w[seed]}, nil
	case next == len(keys):
		return Offer{Wave: next, At: w[keys[next-1]]}, nil
	}
	from, to := keys[next-1], keys[next]
	perSeed := w[to].Sub(w[from]) / time.Duration(to-from)
	return Offer{Wave: next, At: w[from].Add(perSeed * time.Duration(seed-from))}, nil
}

// Share returns which part of a fleet, from 0 to 1, is offered the release at
// now.
func (w Waves) Share(now time.Time) float64 {
	offered := 0
	for seed := range uint32(Seeds) {
		if o, err := w.Offer(seed); err == nil && !o.At.After(now) {
			offered++
		}
	}
	return float64(offered) / Seeds
}

// Check reports keys that no seed can reach and times that do not ascend.
func (w Waves) Check() error {
	keys := w.keys()
	for i, k := range keys {
		if k > Seeds {
			return fmt.Errorf("waves: key %d is above %d", k, Seeds)
		}
		if i > 0 && !w[k].After(w[keys[i-1]]) {
			return fmt.Errorf("waves: key %d has the time %s, which is not after %s at key %d",
				k, w[k].Format(time.RFC3339), w[keys[i-1]].Format(time.RFC3339), keys[i-1])
		}
	}
	return nil
}

func (w Waves) keys() []uint32 { return slices.Sorted(maps.Keys(w)) }

// MarshalJSON writes the object of seeds and times, empty where there are no
// waves.
func (w Waves) MarshalJSON() ([]byte, error) {
	out := make(map[string]string, len(w))
	for k, at := range w {
		out[strconv.FormatUint(uint64(k), 10)] = at.UTC().Format(time.RFC3339Nano)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Waves) UnmarshalJSON(data []byte) error {
	var in map[string]time.Time
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	out := make(Waves, len(in))
	for k, at := range in {
		key, err := strconv.ParseUint(k, 10, 32)
		if err != nil {
			return fmt.Errorf("waves: key %q is not a number of 32 bits", k)
		}
		if _, twice := out[uint32(key)]; twice {
			return errors.New("waves: key " + k + " is there twice")
		}
		out[uint32(key)] = at
	}
	*w = out
	return nil
}

// never is when nobody is offered anything. It is a time that a Duration from
// now still reaches.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Hold returns waves that offer the release to those whom w had offered it by
// now, and to nobody else until they are replaced.
func (w Waves) Hold(now time.Time) Waves {
	offered := uint32(0) // later seeds are never offered it earlier
	last := Offer{}
	for offered < Seeds {
		o, err := w.Offer(offered)
		if err != nil || o.At.After(now) {
			break
		}
		last = o
		offered++
	}
	if offered == Seeds {
		return w
	}
	out := Waves{offered: never}
	for key, at := range w {
		if key < offered {
			out[key] = at
		}
	}
	if offered > 0 {
		out[offered-1] = last.At
	}
	return out
}
