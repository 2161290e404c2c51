package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// transaction is the one in which user data is put together. Nobody else uses
// one of the name.
const transaction = "user-data"

// messagePrefix begins the message of the generation that user data makes, and
// of no other.
const messagePrefix = "user data of "

// A submission is user data on its way into the settings.
type submission struct {
	api    *client.Client
	source string
	data   *userData
	faults []report.Fault
}

// submit makes what is acceptable in data the settings, and returns the
// generation, or 0 when there was nothing to change, and all faults.
func submit(ctx context.Context, api *client.Client, source string, raw []byte) (uint64, []report.Fault, error) {
	data, rep := parse(raw)
	s := &submission{api: api, source: source, data: data}
	s.add(rep.Faults...)
	for !data.empty() {
		err := s.stage(ctx)
		var done client.Committed
		if err == nil {
			done, err = api.Commit(ctx, client.CommitRequest{Tx: transaction, Message: s.message(raw)})
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

// message is that of the generation. By it a node knows that it has had user
// data.
func (s *submission) message(raw []byte) string {
	return messagePrefix + s.source + ", sha256:" + digest(raw)[:12] + summary(s.faults)
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
	patch := client.Patch{Tx: transaction, ContentType: client.TOML, Body: s.data.text, Document: true}
	if s.data.cut {
		patch.ContentType, patch.Body = client.JSON, s.data.json()
	}
	_, err := s.api.Patch(ctx, patch)
	return err
}

// refuse takes out of the user data what the API refuses it for. It reports
// false when err is something else, or would come again.
func (s *submission) refuse(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != http.StatusBadRequest {
		return false
	}
	fromText := !s.data.cut && p.Method == http.MethodPatch
	var grave []report.Fault
	for _, f := range p.Report().Faults {
		if !fromText {
			f.Line, f.Column = 0, 0 // of a text that nobody has seen
		}
		if f.Severity == report.Error {
			grave = append(grave, f)
		} else {
			s.add(f)
		}
	}
	grave, less := s.data.refuse(grave)
	s.add(grave...)
	return less
}

// add keeps faults, each once, as of the user data.
func (s *submission) add(faults ...report.Fault) {
	for _, f := range faults {
		f.Source = faultSource
		if f.Severity == report.Warning {
			f.Severity = report.Info // accepted, and does not make the node degraded
		}
		known := false
		for _, have := range s.faults {
			known = known || have == f
		}
		if !known {
			s.faults = append(s.faults, f)
		}
	}
}

// had returns the generation that user data has made before, if any.
func had(ctx context.Context, api *client.Client) (client.Generation, bool, error) {
	list, err := api.Generations(ctx, 0, 0)
	if err != nil {
		return client.Generation{}, false, fmt.Errorf("look for user data in the history: %w", err)
	}
	for _, g := range list {
		if strings.HasPrefix(g.Message, messagePrefix) {
			return g, true, nil
		}
	}
	return client.Generation{}, false, nil
}
