package updates

import (
	"slices"
	"time"
)

// Window are the settings of the hours in which a host may update by itself.
type Window struct {
	// The days of the week on which the window opens. While they are unset it
	// opens every day.
	Days *[]Weekday `setting:"days"`

	// When the window opens, by the clocks of time-zone. It is 00:00 while it is
	// unset.
	Start *TimeOfDay `setting:"start"`

	// When the window closes. A time before start is one of the next day, so that
	// 22:00 to 04:00 is a night. It is 24:00 while it is unset.
	End *TimeOfDay `setting:"end"`

	// The time zone of start, end and days, with its summer time if it has one. It
	// is UTC while it is unset.
	TimeZone *TimeZone `setting:"time-zone"`
}

// A Span is a stretch of time, without its end.
type Span struct{ Start, End time.Time }

// Holds reports whether t is in the span.
func (s Span) Holds(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Location returns the time zone of the window. It fails where the program has
// no time zone database.
func (w *Window) Location() (*time.Location, error) {
	if w == nil || w.TimeZone == nil {
		return time.UTC, nil
	}
	return time.LoadLocation(w.TimeZone.s)
}

// At returns when the window is open at the time now, or is next. Without a
// window that is always, which At says by a span of a day around now.
//
// Where the clocks are put forward over a time, the time after that counts.
func (w *Window) At(now time.Time) (Span, error) {
	if w == nil {
		return Span{now.Add(-12 * time.Hour), now.Add(12 * time.Hour)}, nil
	}
	loc, err := w.Location()
	if err != nil {
		return Span{}, err
	}
	year, month, day := now.In(loc).Date()
	// Yesterday's may still be open; a week has every day in it, and an eighth day
	// is today's again, when it is over.
	for d := day - 1; ; d++ {
		noon := time.Date(year, month, d, 12, 0, 0, 0, loc)
		if d > day+8 {
			return Span{}, nil // no day at all, which Check refuses
		}
		if !w.opens(noon.Weekday()) {
			continue
		}
		span := w.on(noon)
		if now.Before(span.End) {
			return span, nil
		}
	}
}

func (w *Window) opens(day time.Weekday) bool {
	if w.Days == nil {
		return true
	}
	return slices.ContainsFunc(*w.Days, func(d Weekday) bool { return d.Is(day) })
}

// on returns the window that opens on the day of t.
func (w *Window) on(t time.Time) Span {
	start, end := w.hours()
	if end <= start {
		end += 24 * 60
	}
	year, month, day := t.Date()
	at := func(minutes int) time.Time { return time.Date(year, month, day, 0, minutes, 0, 0, t.Location()) }
	return Span{at(start), at(end)}
}

// hours returns the minutes of the day at which the window opens and closes.
func (w *Window) hours() (start, end int) {
	end = 24 * 60
	if w.Start != nil {
		start = w.Start.minutes
	}
	if w.End != nil {
		end = w.End.minutes
	}
	return start, end
}
