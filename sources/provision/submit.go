package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// transaction is the one in which user data is put together. Nobody else uses
// one of the name.
const transaction = "user-data"

// messagePrefix begins the message of the generation that user data makes, and
// of no other.
const messagePrefix = "user data of "

// digestMark stands behind the name of the source.
const digestMark = ", sha256:"

// A submission is user data on its way into the settings.
type submission struct {
	api    *client.Client
	source string
	docs   []*userData // a later one counts more
	staged int         // how many of docs the API has taken
	faults []report.Fault
	known  map[report.Fault]bool // those of faults
}

// submit makes what is acceptable in data the settings, and returns the
// generation, or 0 when there was nothing to change, and all faults.
func submit(ctx context.Context, api *client.Client, source string, data platform.Data) (uint64, []report.Fault, error) {
	s := &submission{api: api, source: source, known: map[report.Fault]bool{}}
	if len(data.Network) > 0 {
		s.read(parseNetwork(data.Network))
	}
	s.read(parse(data.UserData))
	for !s.empty() {
		err := s.stage(ctx)
		var done client.Committed
		if err == nil {
			done, err = api.Commit(ctx, client.CommitRequest{Tx: transaction, Message: s.message(data.UserData)})
		}
		switch {
		case err == nil:
			return done.Generation, s.faults, nil
		case nothingPending(err):
			return 0, s.faults, nil
		case !s.refuse(err):
			return 0, s.faults, err
		}
	}
	return 0, s.faults, nil
}

// read adds a document, with what is known to be wrong with it.
func (s *submission) read(u *userData, rep report.Report) {
	s.docs = append(s.docs, u)
	s.add(u.name, rep.Faults...)
}

// empty reports whether there is nothing to set.
func (s *submission) empty() bool {
	return !slices.ContainsFunc(s.docs, func(u *userData) bool { return !u.empty() })
}

// message is that of the generation. By it a node knows that it has had user
// data.
func (s *submission) message(raw []byte) string {
	return messagePrefix + s.source + digestMark + digest(raw)[:12] + summary(s.faults)
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func nothingPending(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status == http.StatusUnprocessableEntity
}

// stage puts the settings into the transaction, in place of what is there.
func (s *submission) stage(ctx context.Context) error {
	if _, err := s.api.Drop(ctx, transaction); err != nil {
		return err
	}
	for s.staged = 0; s.staged < len(s.docs); s.staged++ {
		u := s.docs[s.staged]
		if u.empty() {
			continue
		}
		patch := client.Patch{Tx: transaction, ContentType: client.JSON, Body: u.json(), Document: true}
		if u.whole() {
			patch.Body = u.Bytes
			if u.Format == userdata.TOML {
				patch.ContentType = client.TOML
			}
		}
		if _, err := s.api.Patch(ctx, patch); err != nil {
			return err
		}
	}
	return nil
}

// refuse takes out of the documents what the API refuses them for. It reports
// false when err is something else, or would come again.
func (s *submission) refuse(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != http.StatusBadRequest {
		return false
	}
	docs := s.docs
	if s.staged < len(docs) {
		docs = docs[s.staged : s.staged+1]
	}
	fromText := p.Method == http.MethodPatch && docs[0].whole()
	var grave []report.Fault
	for _, f := range p.Report().Faults {
		f.Source = ""
		if !fromText {
			f.Line, f.Column = 0, 0 // of a text that nobody has seen
		}
		if f.Severity == report.Error {
			grave = append(grave, f)
		} else {
			s.add(docs[len(docs)-1].name, f)
		}
	}
	// What the commit refuses is in the last document that has it.
	for i, u := range slices.Backward(docs) {
		found, less := u.refuse(grave)
		if less || i == 0 {
			s.add(u.name, found...)
			return less
		}
	}
	return false
}

// add keeps faults, each once, as of the text called name.
func (s *submission) add(name string, faults ...report.Fault) {
	for _, f := range faults {
		f.Source = strings.TrimSpace(name + " " + f.Source)
		if f.Severity == report.Warning {
			f.Severity = report.Info // accepted, and does not make the node degraded
		}
		if !s.known[f] {
			s.known[f] = true
			s.faults = append(s.faults, f)
		}
	}
}

// A history is what was committed so far, newest first.
type history []client.Generation

// loadHistory returns the history of the node.
func loadHistory(ctx context.Context, api *client.Client) (history, error) {
	list, err := api.Generations(ctx, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("look for user data in the history: %w", err)
	}
	return list, nil
}

// of returns the generation that user data of the source has made before, if
// any.
func (h history) of(source string) (client.Generation, bool) {
	for _, g := range h {
		if ofSource(g, source) {
			return g, true
		}
	}
	return client.Generation{}, false
}

func ofSource(g client.Generation, source string) bool {
	return strings.HasPrefix(g.Message, messagePrefix+source+digestMark)
}

// byHand reports whether somebody has given the node its first settings in
// person, in the place of user data.
func (h history) byHand() bool {
	return slices.ContainsFunc(h, func(g client.Generation) bool {
		return strings.HasPrefix(g.Message, messagePrefix) && !strings.Contains(g.Message, digestMark)
	})
}
