// Package migration changes settings documents between data formats.
//
// A data format is a number that counts the changes of the settings' names
// and shapes. The way from one format to the next is data, not code: a list
// of steps, each with a way back, so that an older image can run the steps of
// a newer one backwards.
//
// A step never refuses a document. It changes what it knows and leaves the
// rest alone: a key that is absent, a value of another type, a value that it
// does not list. Where the place that a setting moves to is taken, the one
// that moves wins: the version the document comes from cannot have stored
// anything under a name that it does not know.
//
// A file of migrations looks like this; Parse describes the kinds of step:
//
//	[[migration]]
//	format = 2
//	about = "time servers are a list with a better name"
//
//	[[migration.step]]
//	kind = "rename"
//	from = "settings.ntp.servers"
//	to = "settings.ntp.time-servers"
package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
)

// ErrUnknownFormat means that no migration leads to or from a data format.
var ErrUnknownFormat = errors.New("unknown data format")

// A Set holds the migrations between a run of consecutive formats. The zero
// Set holds none: it leaves documents in the format they have.
type Set struct {
	migrations []migration // formats ascend by one
}

// A migration leads from the format before its own to its own.
type migration struct {
	format int
	steps  []step
	source string // what it was read from, as JSON
}

// A step is one change with its way back.
type step interface {
	forward(document.Document) document.Document
	backward(document.Document) document.Document
}

// Formats returns the oldest and the newest format that s leads between, or
// zeros when it holds no migration.
func (s Set) Formats() (oldest, newest int) {
	if len(s.migrations) == 0 {
		return 0, 0
	}
	return s.migrations[0].format - 1, s.migrations[len(s.migrations)-1].format
}

// Join returns the migrations of s followed by those of next, which must go on
// where s ends.
func (s Set) Join(next Set) (Set, error) {
	if len(s.migrations) == 0 {
		return next, nil
	}
	if len(next.migrations) == 0 {
		return s, nil
	}
	_, end := s.Formats()
	if begin, _ := next.Formats(); begin != end {
		return Set{}, fmt.Errorf("join migrations: the first set ends with format %d, the second begins with %d", end, begin)
	}
	return Set{slices.Concat(s.migrations, next.migrations)}, nil
}

// Extend returns s and what of more goes on behind it: the migrations that lead
// from the newest format of s further. Where more does not reach that format, or
// not beyond it, there is nothing to go on with.
func (s Set) Extend(more Set) Set {
	_, end := s.Formats()
	if end == 0 {
		return more
	}
	for i, m := range more.migrations {
		if m.format == end+1 {
			return Set{slices.Concat(s.migrations, more.migrations[i:])}
		}
	}
	return s
}

// Fingerprint returns a text that is the same for sets that do the same between
// two formats, in either direction, and differs otherwise.
func (s Set) Fingerprint(from, to int) string {
	from, to = min(from, to), max(from, to)
	sum := sha256.New()
	for _, m := range s.migrations {
		if from < m.format && m.format <= to {
			sum.Write([]byte(m.source + "\n"))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// JSON returns s as ParseJSON reads it.
func (s Set) JSON() []byte {
	sources := make([]string, len(s.migrations))
	for i, m := range s.migrations {
		sources[i] = m.source
	}
	return []byte(`{"migration":[` + strings.Join(sources, ",") + `]}`)
}

// Path returns an error that wraps ErrUnknownFormat unless s leads from one
// format to the other.
func (s Set) Path(from, to int) error {
	if from == to {
		return nil
	}
	oldest, newest := s.Formats()
	for _, f := range []int{from, to} {
		if oldest == 0 {
			return fmt.Errorf("%w %d: there are no migrations, so data of format %d cannot become format %d", ErrUnknownFormat, from, from, to)
		}
		if f < oldest || f > newest {
			return fmt.Errorf("%w %d: the migrations here lead between formats %d and %d", ErrUnknownFormat, f, oldest, newest)
		}
	}
	return nil
}

// Apply returns d, which has the format from, in the format to.
func (s Set) Apply(d document.Document, from, to int) (document.Document, error) {
	if err := s.Path(from, to); err != nil {
		return document.Document{}, err
	}
	for _, m := range s.migrations {
		if from < m.format && m.format <= to {
			d = m.forward(d)
		}
	}
	for _, m := range slices.Backward(s.migrations) {
		if to < m.format && m.format <= from {
			d = m.backward(d)
		}
	}
	return d, nil
}

func (m migration) forward(d document.Document) document.Document {
	for _, st := range m.steps {
		d = st.forward(d)
	}
	return d
}

func (m migration) backward(d document.Document) document.Document {
	for _, st := range slices.Backward(m.steps) {
		d = st.backward(d)
	}
	return d
}
