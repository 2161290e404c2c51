package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Lines that Watch writes begin with these.
const (
	Up    = "probe: up" // see marks
	Found = "probe: found "
)

// mark is the file in /proc that is there when a system is up: all units that
// belong to its start have started. Our nodes are asked instead.
const mark = "1/root/run/" + Mark

// Mark is the file in /run that says that a system is up.
const Mark = "system-is-up"

// API is where the API of our nodes listens for those who only read, below the
// root of the node.
const API = "run/api-read.sock"

// often is how often it is looked whether the system is up, and with that how
// exact the time is.
const often = 20 * time.Millisecond

// Times of the wait for a system to come to rest.
const (
	look   = time.Second
	calm   = 5                // looks in a row
	least  = 45 * time.Second // programs that serve a boot end some time after it
	enough = 90 * time.Second // then its facts are taken as they are
	rest   = 0.03             // of what the processors can do
)

// Watch writes to out when the system is up, and when it has come to rest, what
// is found in proc. It is up when the file Mark is there, or when healthy says so.
func Watch(ctx context.Context, proc fs.FS, healthy func(context.Context) bool, out io.Writer) error {
	if err := awaitUp(ctx, proc, healthy); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", Up); err != nil {
		return err
	}
	busy, err := settle(ctx, proc)
	if err != nil {
		return err
	}
	facts, err := Read(proc, os.Getpid())
	if err != nil {
		return err
	}
	facts.Busy = busy
	text, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s%s\n", Found, text)
	return err
}

func awaitUp(ctx context.Context, proc fs.FS, healthy func(context.Context) bool) error {
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		if _, err := fs.Stat(proc, mark); err == nil || healthy(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Parse reads the line that tells what was found.
func Parse(line string) (Facts, error) {
	var f Facts
	_, text, ok := strings.Cut(line, Found)
	if !ok {
		return f, fmt.Errorf("line %q does not tell what was found", line)
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, fmt.Errorf("line %q: %w", line, err)
	}
	return f, nil
}

// settle waits until the system has come to rest, and returns how busy it was
// at the last look.
func settle(ctx context.Context, proc fs.FS) (busy float64, err error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	start := time.Now()
	before, err := readTimes(proc)
	if err != nil {
		return 0, err
	}
	for calmly := 0; (calmly < calm || time.Since(start) < least) && time.Since(start) < enough; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		now, err := readTimes(proc)
		if err != nil {
			return 0, err
		}
		busy = now.busySince(before)
		before = now
		calmly++
		if busy > rest {
			calmly = 0
		}
	}
	return busy, nil
}

// times are how long the processors worked and rested, in ticks.
type times struct{ work, rest int64 }

// readTimes reads the line "cpu user nice system idle iowait irq softirq steal …".
func readTimes(proc fs.FS) (times, error) {
	text, err := fs.ReadFile(proc, "stat")
	if err != nil {
		return times{}, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return times{}, fmt.Errorf("stat: line %q, want cpu and eight numbers or more", line)
	}
	var t times
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return times{}, fmt.Errorf("stat: %w", err)
		}
		if i == 3 || i == 4 {
			t.rest += n
		} else {
			t.work += n
		}
	}
	return t, nil
}

func (t times) busySince(before times) float64 {
	work, all := t.work-before.work, t.work-before.work+t.rest-before.rest
	if all <= 0 {
		return 1 // nothing can be told
	}
	return float64(work) / float64(all)
}
