package provision

import (
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/screen"
)

// What the console is told of the boot: a line for each step when it is done.
// Everything else is for the journal.
const (
	// showLimit is how long a terminal may hold up the boot, once.
	showLimit = 100 * time.Millisecond
	maxLine   = 160 // bytes; names are of others
)

// say tells a step on the console. That nobody looks at one is no fault.
func (r *run) say(format string, args ...any) {
	if r.show == nil {
		return
	}
	if err := r.show("provision: " + screen.Plain(fmt.Sprintf(format, args...), maxLine) + "\n"); err != nil {
		r.log.Debug("step is not shown", "err", err)
	}
}

// place says where user data was found, for people.
func (r reading) place() string {
	if r.data.From == "" {
		return r.source.Name()
	}
	return fmt.Sprintf("%s (%s)", r.source.Name(), r.data.From)
}

// outcome says what became of user data.
func (t taken) outcome() string {
	text := "it changes nothing"
	if t.Generation > 0 {
		text = fmt.Sprintf("it is valid, generation %d", t.Generation)
	}
	switch n := grave(t.Faults); {
	case n > 0 && t.Generation > 0:
		text = fmt.Sprintf("%s, the rest is generation %d", count(n, "fault"), t.Generation)
	case n > 0:
		text = count(n, "fault") + ", and nothing that can be taken"
	}
	return text
}

// span returns a time as people write it.
func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
