package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/migration"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// The plain copy is the last good generation as TOML, for people and for the
// day the database is damaged. The comment at its head says which generation
// it is; what the program needs stands there on two lines of their own:
//
//	#! {"generation": …}    a copyHeader
//	#= 0123abcd             checksum of that line's JSON and of the TOML

const (
	headerMark = "#! "
	sumMark    = "#= "
)

// A copyHeader is what a copy holds beside the user layer.
type copyHeader struct {
	Generation uint64      `json:"generation"`
	Last       uint64      `json:"last"` // as in state
	Revision   uint64      `json:"revision"`
	Format     int         `json:"format"`
	Time       time.Time   `json:"time"`
	Generated  []generated `json:"generated,omitempty"`
	Steps      string      `json:"steps,omitempty"` // migrations that lead to Format, as JSON
}

// A copyMark names the content of a copy.
type copyMark struct {
	generation, revision uint64
	format               int
}

// empty reports whether there is nothing worth a copy.
func (m copyMark) empty() bool { return m.generation == 0 && m.revision == 0 }

func (h copyHeader) mark() copyMark { return copyMark{h.Generation, h.Revision, h.Format} }

// A plainCopy is a copy that was read.
type plainCopy struct {
	copyHeader
	toml  []byte
	whole bool // nobody has changed the file since it was written
}

func (s *Store) copyPath() string { return filepath.Join(s.opt.Dir, "settings.toml") }

// good returns the mark and the settings that the copy is to hold: those
// before the try, if there is one.
func (s *Store) good() (Generation, layer) {
	id, l := s.state.Current, s.user
	if t := s.state.Try; t != nil {
		id, l = t.Base, s.base
	}
	g, _ := s.generation(id)
	return g, l
}

func (s *Store) goodMark() copyMark {
	g, _ := s.good()
	return copyMark{g.ID, s.state.Revision, s.state.Format}
}

// copySoon makes Run write the copy.
func (s *Store) copySoon() {
	if s.copyDue.IsZero() {
		s.copyDue = time.Now().Add(copyDelay)
	}
	s.poke()
}

// copyDueAt returns when the copy is to be written, or zero.
func (s *Store) copyDueAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return time.Time{}
	}
	return s.copyDue
}

// writeCopy brings the plain copy up to date. The disk is slow, so commits may
// pass meanwhile; they make it due again.
func (s *Store) writeCopy() {
	s.copying.Lock()
	defer s.copying.Unlock()
	s.mu.Lock()
	s.copyDue = time.Time{}
	g, l := s.good()
	h := copyHeader{Generation: g.ID, Last: s.state.Last, Revision: s.state.Revision, Format: s.state.Format, Time: g.Time}
	if h.Format > 1 {
		h.Steps = string(s.opt.Migrations.JSON())
	}
	values, stale := s.values, s.copied != h.mark() && !h.mark().empty() && !s.closed
	s.mu.Unlock()
	if !stale {
		return
	}
	for _, k := range slices.SortedFunc(maps.Keys(values), key.Key.Compare) {
		h.Generated = append(h.Generated, values[k])
	}
	text, err := encodeCopy(h, l.doc)
	if err == nil {
		err = replaceFile(s.copyPath(), text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.copied = h.mark()
		s.mend(CodeNoCopy)
		return
	}
	s.opt.Log.Warn("plain copy of the settings could not be written", "err", err)
	s.complain(report.Fault{
		Severity: report.Warning, Code: CodeNoCopy, Detail: "the plain copy of the settings could not be written: " + err.Error(),
		Hint: "it is tried again; until then a damaged database cannot be recovered in full",
	})
	s.copyDue = time.Now().Add(copyRetry)
}

func encodeCopy(h copyHeader, doc document.Document) ([]byte, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode plain copy: %w", err)
	}
	head = bytes.ReplaceAll(head, []byte{0x7F}, []byte(`\u007f`)) // not allowed in comments
	toml := doc.TOML()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Settings of this node: generation %d of %s.\n", h.Generation, h.Time.Format(time.RFC3339))
	b.WriteString("# A copy for reading and for recovery. Changes to this file have no effect.\n")
	fmt.Fprintf(&b, "%s%s\n%s%08x\n\n", headerMark, head, sumMark, copySum(head, toml))
	b.Write(toml)
	return b.Bytes(), nil
}

func copySum(head, toml []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, toml)
}

var errNoCopy = errors.New("there is no usable copy of the settings")

// readCopy reads the copy at path. One that somebody has changed is better
// than none, as long as it can be read.
func readCopy(path string) (plainCopy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return plainCopy{}, fmt.Errorf("%w: %w", errNoCopy, err)
	}
	var c plainCopy
	var head, sum []byte
	c.toml = text
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte(headerMark)):
			head = bytes.TrimSuffix(line[len(headerMark):], []byte("\n"))
		case bytes.HasPrefix(line, []byte(sumMark)):
			sum = bytes.TrimSpace(line[len(sumMark):])
		case len(line) == 1: // an empty line ends the head
			c.whole = json.Unmarshal(head, &c.copyHeader) == nil && fmt.Sprintf("%08x", copySum(head, c.toml[1:])) == string(sum)
			for i, g := range c.Generated {
				c.Generated[i].Value = document.NewValue(g.Raw)
			}
			return c, nil
		case !bytes.HasPrefix(line, []byte("#")):
			return c, nil // no head
		}
		c.toml = c.toml[len(line):]
	}
	return plainCopy{}, errNoCopy
}

// compareCopy makes the copy due unless it is as it should be. A copy that is
// newer than the database means that the disk has lost what was acknowledged;
// its settings become current again.
func (s *Store) compareCopy() {
	c, err := readCopy(s.copyPath())
	if err == nil && c.whole {
		s.copied = c.mark()
	}
	if s.copied.generation != 0 && c.Last > s.state.Last {
		if err := s.catchUp(c); err != nil {
			s.complainRecovery(fmt.Sprintf("the database has gone back to generation %d, and generation %d could not be restored from the plain copy: %v",
				s.state.Current, c.Generation, err))
			return
		}
	}
	if want := s.goodMark(); s.copied != want && !want.empty() {
		s.copyDue = time.Now()
	}
}

// catchUp makes the settings of a copy current that is newer than the
// database.
func (s *Store) catchUp(c plainCopy) error {
	doc, err := s.copyDocument(c, s.opt.Format)
	if err != nil {
		return err
	}
	story := fmt.Sprintf("the database had gone back to generation %d; restored generation %d from the plain copy", s.state.Current, c.Generation)
	before := s.state
	s.state.Last = c.Last
	changed := differences(s.user.doc, doc)
	_, err = s.add(addition{
		doc: doc, changed: changed, now: s.evaluate(doc, Stored),
		header: header{Generation: Generation{Actor: internal, Message: story, Origin: OriginRecovery}},
	})
	if err != nil {
		s.state = before
		return err
	}
	s.tellRecovery(story, changed)
	return nil
}

// copyDocument returns the settings in a copy in the given format.
func (s *Store) copyDocument(c plainCopy, format int) (document.Document, error) {
	doc, err := document.ParseTOML(c.toml)
	if err != nil {
		return document.Document{}, fmt.Errorf("plain copy of the settings: %w", err)
	}
	if c.Format == 0 { // its head is lost
		return doc, nil
	}
	way := s.way
	if more, rep := migration.ParseJSON("migrations in the plain copy", []byte(c.Steps)); c.Steps != "" && !rep.HasErrors() {
		way = way.Extend(more)
	}
	return way.Apply(doc, c.Format, format)
}

func (s *Store) tellRecovery(story string, changed []key.Key) {
	s.complainRecovery(story)
	s.post(EventRecovered, internal, changed, story)
}

func (s *Store) complainRecovery(story string) {
	s.opt.Log.Error("settings database was not as it should be", "story", story)
	s.complain(report.Fault{
		Severity: report.Error, Code: CodeRecovered, Detail: story,
		Hint: "compare the settings with what they should be; the history tells more, and the next commit or revert ends this warning",
	})
}

// replaceFile gives the file at path the contents data, whole or not at all,
// and for good once it has returned nil.
func replaceFile(path string, data []byte) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	// WithRoot keeps the temporary file in the directory: it holds secrets.
	name := filepath.Base(path)
	if err := renameio.WriteFile(name, data, 0o600, renameio.WithRoot(dir), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return syncDir(filepath.Dir(path))
}

// removeDrafts removes what a crash has left of writing the plain copy, which
// would hold secrets for ever.
func (s *Store) removeDrafts() {
	entries, err := os.ReadDir(s.opt.Dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), ".settings.toml") {
			err = os.Remove(filepath.Join(s.opt.Dir, e.Name()))
		}
	}
	if err != nil {
		s.opt.Log.Warn("leftover of a plain copy could not be removed", "err", err)
	}
}
