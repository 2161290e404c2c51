package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Query selects lines of the journal. The zero Query selects all there are.
type Query struct {
	Unit     string    // name
	Boot     string    // 0 for this boot, -1 for the one before, or the id of a boot; empty for all
	Priority string    // the least: name or number of a syslog level
	Since    time.Time // not before
	After    string    // cursor of the line before the first
	Lines    int       // only the last so many; 0 for all
	Kernel   bool      // only what the kernel says
	Follow   bool      // go on with lines as they come
}

// levels are the names of the syslog levels by their numbers.
var levels = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// longest is the most bytes that a name or a cursor has.
const longest = 512

// CheckUnit returns an error if s is no name of a unit.
func CheckUnit(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"
	if s == "" || len(s) > longest || strings.Trim(s, letters) != "" || s[0] == '-' {
		return fmt.Errorf("%.80q is not the name of a unit", s)
	}
	return nil
}

// CheckBoot returns an error if s names no boot.
func CheckBoot(s string) error {
	if n, err := strconv.Atoi(s); err == nil && n <= 0 && n > -10000 {
		return nil
	}
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("%.80q is neither 0, a negative number nor the id of a boot", s)
	}
	return nil
}

// CheckPriority returns an error if s is no syslog level.
func CheckPriority(s string) error {
	for i, name := range levels {
		if s == name || s == strconv.Itoa(i) {
			return nil
		}
	}
	return fmt.Errorf("%.80q is no syslog level", s)
}

// CheckCursor returns an error if s is not like the cursor of a line.
func CheckCursor(s string) error {
	if s == "" || len(s) > longest || strings.Trim(s, "0123456789abcdef=;imstx") != "" {
		return fmt.Errorf("%.80q is not the cursor of a line", s)
	}
	return nil
}

// timeForms are those in which a time may be given; without a zone it is UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// ParseSince returns the time that s stands for: one, or how long before now.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.80q is neither a time nor how long ago", s)
}

// words returns the words of the program that carries q out.
func (q Query) words() []string {
	// Without --all, long messages are left out; --quiet leaves out advice.
	w := []string{
		"--output=json", "--output-fields=MESSAGE,PRIORITY,_PID,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_COMM",
		"--all", "--quiet", "--no-pager",
	}
	add := func(option, value string) {
		if value != "" {
			w = append(w, option+"="+value)
		}
	}
	add("--unit", q.Unit)
	add("--boot", q.Boot)
	add("--priority", q.Priority)
	add("--after-cursor", q.After)
	if !q.Since.IsZero() {
		add("--since", q.Since.UTC().Format("2006-01-02 15:04:05.000000 UTC"))
	}
	switch {
	case q.Lines > 0:
		add("--lines", strconv.Itoa(q.Lines))
	case q.Follow:
		w = append(w, "--no-tail") // it would begin with the last ten
	}
	if q.Kernel {
		w = append(w, "_TRANSPORT=kernel") // -k would mean this boot, too
	}
	if q.Follow {
		w = append(w, "--follow")
	}
	return w
}
