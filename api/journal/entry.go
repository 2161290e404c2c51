package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Entry is a line of the journal.
type Entry struct {
	Time       time.Time `json:"time"`
	Unit       string    `json:"unit,omitempty"`
	Identifier string    `json:"identifier,omitempty"` // what the program calls itself
	PID        int       `json:"pid,omitempty"`
	Priority   int       `json:"priority"` // syslog level: 0 is the worst, 7 the least
	Message    string    `json:"message"`
	Cursor     string    `json:"cursor"` // what comes after it can be asked for
}

// maxMessage is the longest message that is passed on in full.
const maxMessage = 64 << 10

// usual is the priority of entries that do not say theirs.
const usual = 6

// parse reads an entry in the JSON of journalctl.
func parse(line []byte) (Entry, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return Entry{}, fmt.Errorf("read an entry of the journal: %w", err)
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v := field(raw[name]); v != "" {
				return v
			}
		}
		return ""
	}
	micros, err := strconv.ParseInt(first("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return Entry{}, errors.New("read an entry of the journal: it has no time")
	}
	e := Entry{
		Time: time.UnixMicro(micros).UTC(), Cursor: first("__CURSOR"), Message: bounded(first("MESSAGE")),
		// What systemd says about a unit has that in UNIT, and itself as the unit.
		Unit: first("UNIT", "_SYSTEMD_UNIT"), Identifier: first("SYSLOG_IDENTIFIER", "_COMM"), Priority: usual,
	}
	e.PID, _ = strconv.Atoi(first("_PID"))
	if p, err := strconv.Atoi(first("PRIORITY")); err == nil && p >= 0 && p < len(levels) {
		e.Priority = p
	}
	return e, nil
}

// field returns the text of a field: a string, a list of its bytes when it is
// not printable, or a list of these when it is there several times, of which
// the first counts.
func field(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil {
		text := make([]byte, len(numbers))
		for i, n := range numbers {
			text[i] = byte(n)
		}
		return strings.ToValidUTF8(string(text), "\ufffd")
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) != nil || len(several) == 0 {
		return ""
	}
	return field(several[0])
}

func bounded(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + fmt.Sprintf("… (%d bytes)", len(s))
}
