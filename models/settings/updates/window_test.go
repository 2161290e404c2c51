package updates_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // whatever the machine has

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/updates"
)

func window(t *testing.T, days, start, end, zone string) *updates.Window {
	t.Helper()
	w := &updates.Window{}
	if days != "" {
		list := []updates.Weekday{}
		for d := range strings.FieldsSeq(days) {
			list = append(list, updates.Weekday(d))
		}
		w.Days = &list
	}
	if start != "" {
		w.Start = valuetest.Parse[updates.TimeOfDay](t, start)
	}
	if end != "" {
		w.End = valuetest.Parse[updates.TimeOfDay](t, end)
	}
	if zone != "" {
		w.TimeZone = valuetest.Parse[updates.TimeZone](t, zone)
	}
	return w
}

func TestWindow(t *testing.T) {
	// The first of November 2026 is a Sunday.
	tests := []struct {
		name                   string
		days, start, end, zone string
		now, from, to          string
	}{
		{name: "every day, before", start: "02:00", end: "04:00", now: "2026-11-01T01:00:00Z", from: "2026-11-01T02:00:00Z", to: "2026-11-01T04:00:00Z"},
		{name: "at its start", start: "02:00", end: "04:00", now: "2026-11-01T02:00:00Z", from: "2026-11-01T02:00:00Z", to: "2026-11-01T04:00:00Z"},
		{name: "at its end", start: "02:00", end: "04:00", now: "2026-11-01T04:00:00Z", from: "2026-11-02T02:00:00Z", to: "2026-11-02T04:00:00Z"},
		{name: "past midnight", start: "22:00", end: "04:00", now: "2026-11-01T03:00:00Z", from: "2026-10-31T22:00:00Z", to: "2026-11-01T04:00:00Z"},
		{name: "the day that it opens on", days: "sat", start: "22:00", end: "04:00", now: "2026-11-01T03:00:00Z", from: "2026-10-31T22:00:00Z", to: "2026-11-01T04:00:00Z"},
		{name: "not the day that it ends on", days: "sun", start: "22:00", end: "04:00", now: "2026-11-01T03:00:00Z", from: "2026-11-01T22:00:00Z", to: "2026-11-02T04:00:00Z"},
		{name: "today is over", days: "sun", start: "00:00", end: "01:00", now: "2026-11-01T03:00:00Z", from: "2026-11-08T00:00:00Z", to: "2026-11-08T01:00:00Z"},
		{name: "of two days the next", days: "sat tue", now: "2026-11-01T03:00:00Z", from: "2026-11-03T00:00:00Z", to: "2026-11-04T00:00:00Z"},
		{name: "until the end of the day", start: "20:00", now: "2026-11-01T03:00:00Z", from: "2026-11-01T20:00:00Z", to: "2026-11-02T00:00:00Z"},
		{name: "by the clocks there", start: "02:00", end: "04:00", zone: "Asia/Tokyo", now: "2026-11-01T03:00:00Z", from: "2026-11-01T17:00:00Z", to: "2026-11-01T19:00:00Z"},
		{name: "summer time ends inside", start: "01:00", end: "04:00", zone: "Europe/Berlin", now: "2026-10-24T23:30:00Z", from: "2026-10-24T23:00:00Z", to: "2026-10-25T03:00:00Z"},
		{name: "an hour that is left out", start: "02:30", end: "03:30", zone: "Europe/Berlin", now: "2027-03-28T00:00:00Z", from: "2027-03-28T01:30:00Z", to: "2027-03-28T01:30:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			got, err := window(t, tt.days, tt.start, tt.end, tt.zone).At(now)
			if err != nil {
				t.Fatal(err)
			}
			text := []string{got.Start.UTC().Format(time.RFC3339), got.End.UTC().Format(time.RFC3339)}
			if diff := cmp.Diff([]string{tt.from, tt.to}, text); diff != "" {
				t.Errorf("At(%s) (-want +got):\n%s", tt.now, diff)
			}
		})
	}
}

// Whatever the window, it is open at some time of the week, never ends before
// it starts, and At is about the time that it is asked for.
func TestWindowAnyTime(t *testing.T) {
	windows := []*updates.Window{
		nil, window(t, "", "", "", ""), window(t, "mon", "23:59", "00:00", "America/New_York"), window(t, "wed fri", "12:00", "11:59", "Australia/Lord_Howe"),
	}
	for i, w := range windows {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(37 * time.Minute) {
			got, err := w.At(now)
			if err != nil || !now.Before(got.End) || got.End.Before(got.Start) || got.Start.Sub(now) > 8*24*time.Hour {
				t.Fatalf("window %d: At(%s) = %v, %v", i, now, got, err)
			}
			if again, _ := w.At(got.Start); w != nil && !(again.Start.Equal(got.Start) && again.End.Equal(got.End)) {
				t.Fatalf("window %d: At(%s) = %v, and at its start it is %v", i, now, got, again)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	tests := []struct {
		name, in string
		parse    func(string) error
		want     string // the error
	}{
		{name: "time", in: "02:30", parse: parse(updates.ParseTimeOfDay)},
		{name: "end of the day", in: "24:00", parse: parse(updates.ParseTimeOfDay)},
		{name: "one digit", in: "2:30", parse: parse(updates.ParseTimeOfDay), want: `time of day "2:30" is not an hour and a minute such as 02:30`},
		{name: "minute", in: "02:60", parse: parse(updates.ParseTimeOfDay), want: `time of day "02:60" has a minute above 59`},
		{name: "past the day", in: "24:01", parse: parse(updates.ParseTimeOfDay), want: `time of day "24:01" is past 24:00`},
		{name: "sign", in: "+2:30", parse: parse(updates.ParseTimeOfDay), want: `time of day "+2:30" is not an hour and a minute such as 02:30`},
		{name: "zone", in: "America/Argentina/Buenos_Aires", parse: parse(updates.ParseTimeZone)},
		{name: "other letters", in: "europe/berlin", parse: parse(updates.ParseTimeZone), want: `time zone "europe/berlin" is written Europe/Berlin`},
		{name: "no zone", in: "../etc/passwd", parse: parse(updates.ParseTimeZone), want: `time zone "../etc/passwd" is not in the time zone database`},
		{name: "empty zone", in: "", parse: parse(updates.ParseTimeZone), want: `time zone "" is not in the time zone database`},
		{name: "line", in: "1.20", parse: parse(updates.ParseLine)},
		{name: "four numbers", in: "1.2.3.4", parse: parse(updates.ParseLine), want: `line of versions "1.2.3.4" has 4 numbers, want 1 to 3`},
		{name: "no number", in: "1.", parse: parse(updates.ParseLine), want: `line of versions "1." holds "", which is not a number`},
		{name: "zero in front", in: "1.02", parse: parse(updates.ParseLine), want: `line of versions "1.02" holds "02", which is not a number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.parse(tt.in); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parse %q: error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func parse[T any](f func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := f(s)
		return err
	}
}

func TestLineHolds(t *testing.T) {
	tests := []struct {
		line, version string
		want          bool
	}{
		{"1", "1.20.3", true},
		{"1", "10.0.0", false},
		{"1.2", "1.2.0", true},
		{"1.2", "1.20.0", false},
		{"1.2.3", "1.2.3-rc.1", true},
		{"1.2.3", "1.2.30", false},
	}
	for _, tt := range tests {
		if got := valuetest.Parse[updates.Line](t, tt.line).Holds(tt.version); got != tt.want {
			t.Errorf("Line(%s).Holds(%s) = %v, want %v", tt.line, tt.version, got, tt.want)
		}
	}
}

// Every name that is accepted is one that Go's database knows.
func TestZonesAreKnown(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "Asia/Kathmandu"} {
		w := window(t, "", "", "", name)
		if loc, err := w.Location(); err != nil || loc.String() != name {
			t.Errorf("Location() = %v, %v, want %s", loc, err, name)
		}
	}
}

// Whatever is accepted prints as it was written, and cannot end a line or a word in
// the files that it is written into.
func FuzzTypes(f *testing.F) {
	for _, s := range []string{"02:30", "24:00", "1.20", "Europe/Berlin", "Etc/GMT+12", "", "1.", "99:99", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(v fmt.Stringer, err error) {
			if err != nil {
				return
			}
			if v.String() != s || strings.ContainsAny(s, " \t\r\n\"'`$\\;#") {
				t.Errorf("%T %q is accepted, and prints as %q", v, s, v)
			}
		}
		check(updates.ParseTimeOfDay(s))
		check(updates.ParseTimeZone(s))
		check(updates.ParseLine(s))
	})
}
