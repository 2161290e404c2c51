package crash

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A record is a piece of the kernel's log, as it was left.
type record struct {
	file   string
	time   time.Time
	reason string // such as "Panic"
	number int    // of the dump, in its boot
	part   int    // the end of the log is part 1
	text   string
}

// maxRecord bounds one piece. Those of firmware variables have one kilobyte.
const maxRecord = 1 << 20

// header begins each piece.
var header = regexp.MustCompile(`^([A-Za-z]{1,20})#([0-9]{1,9}) Part([0-9]{1,9})\n`)

// readRecords returns the pieces in dir. What is not a piece of the log is left
// alone; a piece that cannot be read does not hide the others.
func readRecords(dir string) ([]record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []record
	var errs []error
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), "dmesg-") {
			continue
		}
		r, err := readRecord(root, e.Name())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

func readRecord(root *os.Root, name string) (record, error) {
	f, err := root.Open(name)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return record{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return record{}, err
	}
	r := record{file: name, time: info.ModTime().UTC(), text: string(data)}
	m := header.FindStringSubmatch(r.text)
	if m == nil {
		return record{}, fmt.Errorf("%s does not say what it is a part of", f.Name())
	}
	r.reason, r.text = m[1], r.text[len(m[0]):]
	r.number, _ = strconv.Atoi(m[2]) // both are digits
	r.part, _ = strconv.Atoi(m[3])
	return r, nil
}

// A dump is what the kernel said at one time.
type dump struct {
	time   time.Time
	reason string
	parts  []record // the end of the log first
}

// together is how far the pieces of one dump can be apart: the kernel takes the
// time of each, and firmware is slow.
const together = 2 * time.Minute

// assemble puts pieces together, and returns what they make in the order of
// time.
func assemble(records []record) []dump {
	rs := slices.Clone(records)
	slices.SortFunc(rs, func(a, b record) int {
		return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.number, b.number), cmp.Compare(a.part, b.part), cmp.Compare(a.file, b.file))
	})
	var out []dump
	for _, r := range rs {
		i := slices.IndexFunc(out, func(d dump) bool { return d.takes(r) })
		if i < 0 {
			i = len(out)
			out = append(out, dump{time: r.time, reason: r.reason})
		}
		out[i].parts = append(out[i].parts, r)
	}
	for _, d := range out {
		slices.SortFunc(d.parts, func(a, b record) int { return cmp.Compare(a.part, b.part) })
	}
	return out
}

// takes reports whether r is a part of d. Two boots may number alike, one that
// crashed before it looked at the crash of the other.
func (d dump) takes(r record) bool {
	if d.reason != r.reason || d.parts[0].number != r.number || r.time.Sub(d.time) > together {
		return false
	}
	return !slices.ContainsFunc(d.parts, func(p record) bool { return p.part == r.part })
}

// text returns the log in the order in which it was written.
func (d dump) text() string {
	var b strings.Builder
	for _, p := range slices.Backward(d.parts) {
		b.WriteString(strings.TrimRight(p.text, "\x00"))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// before stands in front of each line of the kernel's log: its level and time.
var before = regexp.MustCompile(`^(<[0-9]+>)?(\[ *[0-9.]+\](\[ *[TC][0-9]+\])? )?`)

// causes begin the lines that say why a kernel died. The first that is found
// counts.
var causes = []string{"Kernel panic - not syncing: ", "kernel BUG at ", "BUG: ", "Oops: ", "watchdog: BUG: ", "general protection fault"}

// cause returns the line of the log that says why the kernel died, or else its
// last one.
func (d dump) cause() string {
	last := ""
	found := make([]string, len(causes))
	for line := range strings.Lines(d.text()) {
		line = strings.TrimSpace(before.ReplaceAllString(line, ""))
		if line == "" {
			continue
		}
		last = line
		for i, c := range causes {
			if strings.HasPrefix(line, c) && found[i] == "" {
				found[i] = line
			}
		}
	}
	line := cmp.Or(append(found, last)...)
	return strings.TrimPrefix(line, causes[0])
}
