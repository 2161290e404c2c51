package audit

import (
	"bytes"
	"testing"
	"time"
)

// Only what the log itself would have written is accepted: a line that parses
// renders back to the same sum, whatever its strings hold.
func FuzzLine(f *testing.F) {
	f.Add("root", `","hash":"`, "settings.motd")
	f.Add("\x00\xff", "\u2028", "")
	f.Fuzz(func(t *testing.T, actor, message, name string) {
		e := Entry{Seq: 3, Time: time.Unix(0, 0).UTC(), Actor: actor, Message: message, Keys: []string{name}}
		line, own := e.line(sum{1})
		if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("entry takes %d lines: %q", n, line)
		}
		got, prev, parsed, err := parseLine(line[:len(line)-1])
		if err != nil || prev != (sum{1}) || parsed != own || got.Seq != e.Seq {
			t.Errorf("parseLine(%q) = %+v, %v", line, got, err)
		}
	})
}

// No line makes the reader fail in another way than by an error.
func FuzzForeignLine(f *testing.F) {
	line, _ := Entry{Seq: 1}.line(sum{})
	f.Add(line)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, _, _, err := parseLine(line); err != nil {
			return
		}
		if !bytes.HasPrefix(line, []byte(prevStart)) {
			t.Errorf("parseLine accepts %q", line)
		}
	})
}
