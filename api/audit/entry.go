// Package audit keeps the record of who changed what.
//
// The record is a file of JSON lines. Each line ends with a SHA-256 over
// itself, and begins with that of the line before, so that a line which was
// changed, taken out or put in breaks the chain; Verify finds where. The chain
// goes on when the file is rotated and when the program starts anew.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// MaxKeys is the number of keys that an entry names; More counts the others.
const MaxKeys = 200

// An Entry is one line of the record: a request that changes something or
// shows a secret, allowed or refused.
type Entry struct {
	Seq        uint64    `json:"seq"` // given by the log
	Time       time.Time `json:"time"`
	Actor      string    `json:"actor,omitempty"`
	UID        uint32    `json:"uid"`
	PID        int32     `json:"pid,omitempty"`
	Role       string    `json:"role,omitempty"`
	Via        string    `json:"via,omitempty"` // "socket", "tls", "internal"
	Remote     string    `json:"remote,omitempty"`
	Method     string    `json:"method,omitempty"`
	Route      string    `json:"route,omitempty"`
	Tx         string    `json:"tx,omitempty"`
	Generation uint64    `json:"generation,omitempty"` // made by the request
	Result     int       `json:"result,omitempty"`     // status of the answer
	Code       string    `json:"code,omitempty"`       // of the problem, when refused
	Keys       []string  `json:"keys,omitempty"`       // names only
	More       int       `json:"more,omitempty"`       // keys that are not named
	Message    string    `json:"message,omitempty"`
	Container  string    `json:"container,omitempty"` // in which a program ran
	Command    string    `json:"command,omitempty"`   // its words, shortened
	Outcome    string    `json:"outcome,omitempty"`   // how it ended, or that it began
	Note       string    `json:"note,omitempty"`      // from the log itself
}

// A sum is the SHA-256 of a line.
type sum [sha256.Size]byte

// The parts of a line that make the chain. A string that a caller chose cannot
// hold them, because JSON writes its quotes with a backslash.
const (
	prevStart = `{"prev":"`
	hashStart = `,"hash":"`
	lineEnd   = `"}`
	sumLength = 2 * sha256.Size
)

// line renders e as the line that follows prev, newline included.
func (e Entry) line(prev sum) ([]byte, sum) {
	body, err := json.Marshal(e)
	if err != nil { // strings, numbers and a time within the years that JSON has
		panic("audit: " + err.Error())
	}
	var b bytes.Buffer
	b.Grow(len(body) + 2*sumLength + 32)
	b.WriteString(prevStart + hex.EncodeToString(prev[:]) + `",`)
	b.Write(body[1 : len(body)-1])
	own := sum(sha256.Sum256(b.Bytes()))
	b.WriteString(hashStart + hex.EncodeToString(own[:]) + lineEnd + "\n")
	return b.Bytes(), own
}

// parseLine reads a line without its newline. It fails when the line does not
// carry its own sum.
func parseLine(line []byte) (e Entry, prev, own sum, err error) {
	tail := len(hashStart) + sumLength + len(lineEnd)
	if len(line) < len(prevStart)+sumLength+tail || !bytes.HasPrefix(line, []byte(prevStart)) || !bytes.HasSuffix(line, []byte(lineEnd)) {
		return e, prev, own, fmt.Errorf("is not an entry")
	}
	body, end := line[:len(line)-tail], line[len(line)-tail:]
	if !bytes.HasPrefix(end, []byte(hashStart)) {
		return e, prev, own, fmt.Errorf("is not an entry")
	}
	if _, err := hex.Decode(prev[:], line[len(prevStart):len(prevStart)+sumLength]); err != nil {
		return e, prev, own, fmt.Errorf("is not an entry")
	}
	own = sha256.Sum256(body)
	if given := string(end[len(hashStart) : len(hashStart)+sumLength]); given != hex.EncodeToString(own[:]) {
		return e, prev, own, fmt.Errorf("was changed: its hash does not fit")
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, prev, own, fmt.Errorf("is not an entry")
	}
	return e, prev, own, nil
}
