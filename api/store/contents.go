package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// The buckets of the database.
var (
	bucketMeta        = []byte("meta")        // one record: the state
	bucketGenerations = []byte("generations") // id, 8 bytes, to record
	bucketGenerated   = []byte("generated")   // text of the key to value
	bucketAuthors     = []byte("authors")     // id to author, for generations that are gone
	bucketLeft        = []byte("left")        // data format, as an id, to leftover; not in old databases
	buckets           = [][]byte{bucketMeta, bucketGenerations, bucketGenerated, bucketAuthors, bucketLeft}

	keyState = []byte("state")
	keySteps = []byte("steps") // migrations that lead to the data format, and back
)

// A kept is a generation that the database holds; its document stays there.
type kept struct {
	header
	size int64 // of the record
}

// contents is what a database holds, without the documents.
type contents struct {
	state     *state
	kept      []kept // by id
	generated map[key.Key]generated
	authors   map[uint64]authorship
	left      map[int]leftover
	steps     []byte
	records   map[uint64][]byte // the sealed generations, where asked for
}

// A keep says what readContents remembers of generations.
type keep int

const (
	keepHeaders keep = iota
	keepRecords
)

// readContents reads the database file at path, or what is left of it. The
// error wraps ErrDamaged when something of it is wrong; the contents then hold
// what could be read.
func readContents(path string, k keep) (contents, error) {
	c := contents{generated: map[key.Key]generated{}, authors: map[uint64]authorship{}, left: map[int]leftover{}, records: map[uint64][]byte{}}
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	// A process that was killed may have left writes behind that no disk has
	// seen. What is served from here on must not go away again.
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EROFS) && !errors.Is(err, syscall.EINVAL) {
		return c, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	info, err := f.Stat()
	if err != nil {
		return c, err
	}
	var faults []error
	note := func(err error) {
		if len(faults) < 4 { // enough to see what kind of damage it is
			faults = append(faults, err)
		}
	}
	walkFile(f, info.Size(), func(bucket, key, value []byte) {
		if err := c.add(bucket, key, value, k); err != nil {
			note(fmt.Errorf("record %q in %q: %w", key, bucket, err))
		}
	}, note)
	slices.SortFunc(c.kept, func(a, b kept) int { return cmp.Compare(a.ID, b.ID) })
	if err := c.check(); err != nil {
		note(err)
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("%w: %w", ErrDamaged, errors.Join(faults...))
	}
	return c, nil
}

// add takes in one record. What it is it says itself; the place where it was
// found must agree.
func (c *contents) add(bucket, at, value []byte, k keep) error {
	var home, name []byte
	switch sealOf(value) {
	case sealState:
		c.state = &state{}
		if err := openJSON(sealState, value, c.state); err != nil {
			c.state = nil
			return err
		}
		home, name = bucketMeta, keyState
	case sealGeneration:
		r, err := decodeRecord(value)
		if err != nil {
			return err
		}
		r.header.Set = nil // for the current generation adopt reads it
		c.kept = append(c.kept, kept{r.header, int64(len(value))})
		if k == keepRecords {
			c.records[r.header.ID] = bytes.Clone(value)
		}
		home, name = bucketGenerations, idKey(r.header.ID)
	case sealGenerated:
		var g generated
		if err := openJSON(sealGenerated, value, &g); err != nil {
			return err
		}
		g.Value = document.NewValue(g.Raw)
		c.generated[g.Key] = g
		home, name = bucketGenerated, []byte(g.Key.String())
	case sealAuthor:
		var a author
		if err := openJSON(sealAuthor, value, &a); err != nil {
			return err
		}
		c.authors[a.ID] = a.authorship
		home, name = bucketAuthors, idKey(a.ID)
	case sealSteps:
		c.steps, _ = sealSteps.open(value)
		c.steps = bytes.Clone(c.steps)
		home, name = bucketMeta, keySteps
	case sealLeft:
		var l leftover
		if err := openJSON(sealLeft, value, &l); err != nil {
			return err
		}
		c.left[l.Format] = l
		home, name = bucketLeft, idKey(uint64(l.Format))
	case "":
		return errSeal
	default: // whole, and of a later version
		return nil
	}
	if !bytes.Equal(bucket, home) || !bytes.Equal(at, name) {
		return fmt.Errorf("%w: it belongs to %q in %q", errSeal, name, home)
	}
	return nil
}

// check returns what is missing.
func (c *contents) check() error {
	if c.state == nil {
		return errors.New("state is missing")
	}
	need := []uint64{c.state.Current}
	if t := c.state.Try; t != nil {
		need = append(need, t.Base)
	}
	for _, id := range need {
		if _, ok := findKept(c.kept, id); !ok && id != 0 {
			return fmt.Errorf("generation %d is missing", id)
		}
	}
	return nil
}

func findKept(list []kept, id uint64) (kept, bool) {
	i, ok := slices.BinarySearchFunc(list, id, func(k kept, id uint64) int { return cmp.Compare(k.ID, id) })
	if !ok {
		return kept{}, false
	}
	return list[i], true
}
