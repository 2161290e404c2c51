package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// Every value in the database is sealed: it begins with what it is and ends
// with a checksum, because bbolt has none for what it stores, and because
// what a damaged database still holds must be known for what it is.
type seal string

const (
	sealState      seal = "bhs1"
	sealGeneration seal = "bhg1"
	sealGenerated  seal = "bhv1"
	sealAuthor     seal = "bha1"
	sealSteps      seal = "bhm1" // migrations, as JSON
	sealLeft       seal = "bhl1"
	sealPending    seal = "bhp1" // a file of its own
)

const sumLen = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSeal = errors.New("record is damaged")

func (s seal) close(payload []byte) []byte {
	b := make([]byte, 0, len(s)+len(payload)+sumLen)
	b = append(append(b, s...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// open returns the payload of b, a part of b.
func (s seal) open(b []byte) ([]byte, error) {
	if sealOf(b) != s {
		return nil, errSeal
	}
	return b[len(s) : len(b)-sumLen], nil
}

// sealOf returns what b is, or "" when it is not whole.
func sealOf(b []byte) seal {
	if len(b) < len(sealState)+sumLen {
		return ""
	}
	body, sum := b[:len(b)-sumLen], b[len(b)-sumLen:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return ""
	}
	return seal(body[:len(sealState)])
}

// sealJSON returns v as a sealed record.
func sealJSON(s seal, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return s.close(b), nil
}

func openJSON(s seal, b []byte, v any) error {
	payload, err := s.open(b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("%w: %w", errSeal, err)
	}
	return nil
}

// A state is everything in the database that is not a list.
type state struct {
	Format   int       `json:"format"`
	Version  string    `json:"version,omitempty"` // of the image that wrote last
	Before   string    `json:"before,omitempty"`  // of the image before that one
	Current  uint64    `json:"current"`
	Last     uint64    `json:"last"` // the greatest id ever given to a generation
	Revision uint64    `json:"revision"`
	Try      *tryState `json:"try,omitempty"`
}

type tryState struct {
	Generation uint64 `json:"generation"`
	Base       uint64 `json:"base"`
	Boot       string `json:"boot"`
	Duration   int64  `json:"duration"` // nanoseconds
	Deadline   int64  `json:"deadline"` // nanoseconds since boot
}

// A header is what is stored with the document of a generation.
type header struct {
	Generation
	Nonce string   `json:"nonce,omitempty"` // of the transaction that became this generation
	Set   []uint64 `json:"set,omitempty"`   // who set the leaves, see runs
}

// A generated is one value of the generated layer.
type generated struct {
	Key       key.Key        `json:"key"`
	Value     document.Value `json:"-"`
	Raw       string         `json:"value"` // Value as text: compact JSON in a JSON string, so that it stays as it is
	Strength  Strength       `json:"strength"`
	Version   string         `json:"version,omitempty"` // of the image it was made for
	Time      time.Time      `json:"time"`
	Actor     Actor          `json:"actor"`
	Generator string         `json:"generator,omitempty"`
}

// An author is the authorship of a generation that is gone.
type author struct {
	ID uint64 `json:"id"`
	authorship
}

// A record is a generation as it is stored: a header of JSON, then the
// document as TOML.
type record struct {
	header header
	toml   []byte
}

// equal reports whether a and b are the same state.
func (a state) equal(b state) bool {
	if (a.Try == nil) != (b.Try == nil) || a.Try != nil && *a.Try != *b.Try {
		return false
	}
	a.Try, b.Try = nil, nil
	return a == b
}

func (r record) encode() ([]byte, error) {
	head, err := json.Marshal(r.header)
	if err != nil {
		return nil, fmt.Errorf("encode generation %d: %w", r.header.ID, err)
	}
	b := make([]byte, 0, len(sealGeneration)+binary.MaxVarintLen32+len(head)+len(r.toml)+sumLen)
	b = append(b, sealGeneration...)
	b = binary.AppendUvarint(b, uint64(len(head)))
	b = append(append(b, head...), r.toml...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// decodeRecord reads what encode wrote. The document is a part of b.
func decodeRecord(b []byte) (record, error) {
	payload, err := sealGeneration.open(b)
	if err != nil {
		return record{}, err
	}
	n, w := binary.Uvarint(payload)
	if w <= 0 || n > uint64(len(payload)-w) {
		return record{}, errSeal
	}
	r := record{toml: payload[w+int(n):]}
	if err := json.Unmarshal(payload[w:w+int(n)], &r.header); err != nil {
		return record{}, fmt.Errorf("%w: %w", errSeal, err)
	}
	return r, nil
}

// document returns the settings of r with who set them.
func (r record) document() (document.Document, setBy, error) {
	d, err := document.ParseTOML(r.toml)
	if err != nil {
		return document.Document{}, nil, fmt.Errorf("generation %d: %w", r.header.ID, err)
	}
	set, err := unroll(r.header.Set, d)
	if err != nil {
		return document.Document{}, nil, fmt.Errorf("generation %d: %w", r.header.ID, err)
	}
	return d, set, nil
}

func idKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
