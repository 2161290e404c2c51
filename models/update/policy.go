package update

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// A Policy is the plan of a roll-out: waves with times that count from its
// start.
type Policy struct {
	Waves []Wave `toml:"waves"`
}

// A Wave begins some time after the start of a roll-out and leads up to a
// share of the fleet, which is reached when the next wave begins.
type Wave struct {
	StartAfter      Span `toml:"start_after"`
	FleetPercentage int  `toml:"fleet_percentage"`
}

// ParsePolicy reads a policy from TOML:
//
//	[[waves]]
//	start_after = "1 hour"
//	fleet_percentage = 5
//
//	[[waves]]
//	start_after = "1 day"
//	fleet_percentage = 100
//
// The last wave is offered to all who are left when it begins. A wave of 100
// per cent after another one spreads them.
func ParsePolicy(data []byte) (Policy, error) {
	var p Policy
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return Policy{}, fmt.Errorf("wave policy: unknown key %s", strings.Join(strict.Errors[0].Key(), "."))
		}
		return Policy{}, fmt.Errorf("wave policy: %w", err)
	}
	if err := p.check(); err != nil {
		return Policy{}, fmt.Errorf("wave policy: %w", err)
	}
	return p, nil
}

func (p Policy) check() error {
	if len(p.Waves) == 0 {
		return errors.New("no waves")
	}
	for i, w := range p.Waves {
		if w.FleetPercentage < 1 || w.FleetPercentage > 100 {
			return fmt.Errorf("wave %d: %d per cent is not in 1 to 100", i+1, w.FleetPercentage)
		}
		if i == 0 {
			continue
		}
		before := p.Waves[i-1]
		if w.StartAfter <= before.StartAfter {
			return fmt.Errorf("wave %d starts after %s, want later than wave %d", i+1, w.StartAfter, i)
		}
		if w.FleetPercentage <= before.FleetPercentage && before.FleetPercentage != 100 || before.FleetPercentage == 100 && i < len(p.Waves)-1 {
			return fmt.Errorf("wave %d leads to %d per cent, want more than wave %d; only the last two may both lead to 100", i+1, w.FleetPercentage, i)
		}
	}
	if last := p.Waves[len(p.Waves)-1].FleetPercentage; last != 100 {
		return fmt.Errorf("the last wave leads to %d per cent, want 100", last)
	}
	return nil
}

// At returns the waves of a roll-out that starts then.
func (p Policy) At(start time.Time) Waves {
	out := Waves{}
	key := uint32(0)
	for _, w := range p.Waves {
		out[key] = start.Add(time.Duration(w.StartAfter)).UTC()
		key = uint32(w.FleetPercentage * Seeds / 100)
	}
	return out
}

// A Span is a length of time in the words of policies: "30 minutes", "1 day".
type Span time.Duration

var units = []struct {
	name   string
	length time.Duration
}{
	{"week", 7 * 24 * time.Hour},
	{"day", 24 * time.Hour},
	{"hour", time.Hour},
	{"minute", time.Minute},
}

// longest is about a century: sums of such times are still times.
const longest = 5200 * 7 * 24 * time.Hour

// ParseSpan reads a number and a unit: minutes, hours, days or weeks. The word
// "in" may come first.
func ParseSpan(s string) (Span, error) {
	number, unit, _ := strings.Cut(strings.TrimPrefix(s, "in "), " ")
	n, err := strconv.ParseUint(number, 10, 32)
	for _, u := range units {
		if err != nil || unit != u.name && unit != u.name+"s" {
			continue
		}
		if n > uint64(longest/u.length) {
			return 0, fmt.Errorf("time %q is longer than %s", s, Span(longest))
		}
		return Span(time.Duration(n) * u.length), nil
	}
	return 0, fmt.Errorf("time %q: want a number of minutes, hours, days or weeks, such as \"6 hours\"", s)
}

// String returns s in the largest unit that it is a whole number of.
func (s Span) String() string {
	for _, u := range units {
		if n := time.Duration(s) / u.length; n > 0 && time.Duration(s)%u.length == 0 {
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return fmt.Sprintf("%d minutes", time.Duration(s)/time.Minute)
}

// MarshalText returns s in words.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSpan accepts.
func (s *Span) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSpan(string(b))
	return err
}
