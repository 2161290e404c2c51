package update_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/update"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// policy makes a policy of pairs of a time and a percentage.
func policy(t *testing.T, pairs ...any) update.Policy {
	t.Helper()
	in := ""
	for i := 0; i < len(pairs); i += 2 {
		in += fmt.Sprintf("[[waves]]\nstart_after = %q\nfleet_percentage = %d\n", pairs[i], pairs[i+1])
	}
	p, err := update.ParsePolicy([]byte(in))
	if err != nil {
		t.Fatalf("ParsePolicy(%q): %v", in, err)
	}
	return p
}

func defaultPolicy(t *testing.T) update.Policy {
	return policy(t, "1 hour", 1, "4 hours", 5, "1 day", 15, "2 days", 40, "4 days", 60, "5 days", 90, "6 days", 100)
}

func TestPolicyKeys(t *testing.T) {
	const h = time.Hour
	tests := []struct {
		name   string
		policy update.Policy
		want   map[uint32]time.Duration
	}{
		{
			name: "default", policy: defaultPolicy(t),
			want: map[uint32]time.Duration{0: h, 20: 4 * h, 102: 24 * h, 307: 48 * h, 819: 96 * h, 1228: 120 * h, 1843: 144 * h},
		},
		{
			name: "accelerated", policy: policy(t, "1 hour", 3, "4 hours", 12, "8 hours", 40, "16 hours", 80, "1 day", 100),
			want: map[uint32]time.Duration{0: h, 61: 4 * h, 245: 8 * h, 819: 16 * h, 1638: 24 * h},
		},
		{
			name: "minutes", policy: policy(t, "in 30 minutes", 5, "60 minutes", 25, "120 minutes", 50, "150 minutes", 90, "180 minutes", 100),
			want: map[uint32]time.Duration{0: h / 2, 102: h, 512: 2 * h, 1024: 5 * h / 2, 1843: 3 * h},
		},
		{
			name: "a spread end", policy: policy(t, "1 hour", 50, "2 hours", 100, "3 hours", 100),
			want: map[uint32]time.Duration{0: h, 1024: 2 * h, 2048: 3 * h},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[uint32]time.Duration{}
			for k, at := range tt.policy.At(start) {
				got[k] = at.Sub(start)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("At: times after the start by key (-want +got):\n%s", diff)
			}
		})
	}
}

// The table of docs/guide/publish.md.
func TestShareOfTheFleet(t *testing.T) {
	waves := defaultPolicy(t).At(start)
	tests := []struct {
		after time.Duration
		want  float64 // per cent
	}{
		{0, 0},
		{59 * time.Minute, 0},
		{4 * time.Hour, 1.0},
		{12 * time.Hour, 2.6},
		{24 * time.Hour, 5.0},
		{36 * time.Hour, 10.0},
		{48 * time.Hour, 15.0},
		{72 * time.Hour, 27.5},
		{84 * time.Hour, 33.8},
		{96 * time.Hour, 40.0},
		{108 * time.Hour, 50.0},
		{120*time.Hour - time.Second, 60.0},
		{132 * time.Hour, 75.0},
		{144*time.Hour - time.Second, 90.0},
		{144 * time.Hour, 100},
	}
	for _, tt := range tests {
		t.Run(tt.after.String(), func(t *testing.T) {
			got := 100 * waves.Share(start.Add(tt.after))
			if got < tt.want-0.1 || got > tt.want+0.1 {
				t.Errorf("Share(%s after the start) = %.2f %%, want %.1f %%", tt.after, got, tt.want)
			}
		})
	}
}

func TestOffer(t *testing.T) {
	w := update.Waves{0: start, 1000: start.Add(1000 * time.Second), 1500: start.Add(2000 * time.Second)}
	tests := []struct {
		name  string
		waves update.Waves
		seed  uint32
		want  update.Offer
		err   string
	}{
		{name: "no waves", seed: 5},
		{name: "seed 0 waits for the first time", waves: w, want: update.Offer{Wave: 1, At: start}},
		{name: "first wave", waves: w, seed: 1, want: update.Offer{Wave: 1, At: start.Add(time.Second)}},
		{name: "a point", waves: w, seed: 1000, want: update.Offer{Wave: 1, At: start.Add(1000 * time.Second)}},
		{name: "from the point before", waves: w, seed: 1001, want: update.Offer{Wave: 2, At: start.Add(1002 * time.Second)}},
		{name: "the end of a wave", waves: w, seed: 1500, want: update.Offer{Wave: 2, At: start.Add(2000 * time.Second)}},
		{name: "above the last key", waves: w, seed: 2047, want: update.Offer{Wave: 3, At: start.Add(2000 * time.Second)}},
		{name: "below the first key", waves: update.Waves{10: start}, seed: 3, want: update.Offer{Wave: 1, At: start}},
		{name: "no such seed", waves: w, seed: 2048, err: "seed 2048 is not in 0 to 2047"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.waves.Offer(tt.seed)
			if diff := cmp.Diff(tt.err, text(err)); diff != "" {
				t.Errorf("Offer(%d): error (-want +got):\n%s", tt.seed, diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Offer(%d) (-want +got):\n%s", tt.seed, diff)
			}
		})
	}
}

// A larger seed is never offered a release earlier.
func TestOffersAscend(t *testing.T) {
	waves := defaultPolicy(t).At(start)
	last := time.Time{}
	for seed := range uint32(update.Seeds) {
		o, err := waves.Offer(seed)
		if err != nil || o.At.Before(last) {
			t.Fatalf("Offer(%d) = %v, %v, want at or after %v", seed, o, err, last)
		}
		last = o.At
	}
}

func TestParsePolicyErrors(t *testing.T) {
	const first = "[[waves]]\nstart_after = \"1 hour\"\nfleet_percentage = 50\n"
	tests := []struct{ name, in, want string }{
		{name: "empty", want: "wave policy: no waves"},
		{name: "unknown key", in: first + "after = 1\n", want: "wave policy: unknown key waves.after"},
		{name: "unfinished", in: first, want: "wave policy: the last wave leads to 50 per cent, want 100"},
		{
			name: "times", in: first + "[[waves]]\nstart_after = \"60 minutes\"\nfleet_percentage = 100\n",
			want: "wave policy: wave 2 starts after 1 hour, want later than wave 1",
		},
		{
			name: "equal keys", in: first + "[[waves]]\nstart_after = \"1 day\"\nfleet_percentage = 50\n",
			want: "wave policy: wave 2 leads to 50 per cent, want more than wave 1; only the last two may both lead to 100",
		},
		{
			name: "nothing", in: "[[waves]]\nstart_after = \"1 day\"\n",
			want: "wave policy: wave 1: 0 per cent is not in 1 to 100",
		},
		{
			name: "too long", in: "[[waves]]\nstart_after = \"65535 weeks\"\nfleet_percentage = 100\n",
			want: `wave policy: toml: time "65535 weeks" is longer than 5200 weeks`,
		},
		{
			name: "unit", in: "[[waves]]\nstart_after = \"1 year\"\nfleet_percentage = 100\n",
			want: `wave policy: toml: time "1 year": want a number of minutes, hours, days or weeks, such as "6 hours"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := update.ParsePolicy([]byte(tt.in))
			if diff := cmp.Diff(tt.want, text(err)); diff != "" {
				t.Errorf("ParsePolicy(%q): error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestWavesJSON(t *testing.T) {
	in := `{"0":"2026-11-01T12:00:00Z","20":"2026-11-01T13:00:00Z"}`
	var w update.Waves
	if err := json.Unmarshal([]byte(in), &w); err != nil {
		t.Fatalf("Unmarshal(%s): %v", in, err)
	}
	out, err := json.Marshal(w)
	if err != nil || string(out) != in {
		t.Errorf("Marshal(Unmarshal(%s)) = %s, %v, want it back", in, out, err)
	}
	for _, bad := range []string{`{"x":"2026-11-01T12:00:00Z"}`, `{"-1":"2026-11-01T12:00:00Z"}`, `{"0":"2026-11-01T12:00:00Z","00":"2026-11-01T12:00:00Z"}`, `{"0":"soon"}`} {
		if err := json.Unmarshal([]byte(bad), &w); err == nil {
			t.Errorf("Unmarshal(%s) = nil, want an error", bad)
		}
	}
}

func TestHold(t *testing.T) {
	waves := defaultPolicy(t).At(start)
	for _, after := range []time.Duration{0, time.Hour, 12 * time.Hour, 24 * time.Hour, 132 * time.Hour, 200 * time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			now := start.Add(after)
			held := waves.Hold(now)
			if err := held.Check(); err != nil {
				t.Errorf("Hold(%s): %v", after, err)
			}
			if got, want := held.Share(now.AddDate(50, 0, 0)), waves.Share(now); got != want {
				t.Errorf("Hold(%s): share for good = %v, want %v, as at the time", after, got, want)
			}
			if got, want := held.Share(now), waves.Share(now); got != want {
				t.Errorf("Hold(%s): share at once = %v, want %v", after, got, want)
			}
		})
	}
}

// Whatever is accepted makes waves that are valid and reach everybody.
func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte("[[waves]]\nstart_after = \"in 2 hours\"\nfleet_percentage = 5\n[[waves]]\nstart_after = \"1 week\"\nfleet_percentage = 100\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := update.ParsePolicy(data)
		if err != nil {
			return
		}
		w := p.At(start)
		if err := w.Check(); err != nil {
			t.Errorf("ParsePolicy(%q).At(): %v", data, err)
		}
		if got := w.Share(start.AddDate(101, 0, 0)); got != 1 {
			t.Errorf("ParsePolicy(%q).At(): %v of the fleet in the end, want all", data, got)
		}
	})
}
