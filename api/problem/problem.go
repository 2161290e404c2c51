// Package problem holds the documents that the API answers errors with, in the
// form of RFC 9457.
//
// Every kind of problem has a code, a status and a title that do not change;
// what is particular to one request is in the detail. A problem that is about
// settings also lists every fault that was found.
package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// URN is the start of every problem's type; the code follows.
const URN = "urn:bulkhead:problem:"

// A Problem is one error document. It is an error, so that a handler returns
// it as any other.
type Problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail"`
	Path     string         `json:"path,omitempty"` // of the first fault
	Code     string         `json:"code"`           // of the first fault, else of the problem
	Hint     string         `json:"hint,omitempty"`
	Instance string         `json:"instance,omitempty"` // names the line of the log that has the cause
	Errors   []report.Fault `json:"errors,omitempty"`   // all faults, warnings included
}

// New returns a problem of kind k; the detail is put together as by fmt.Sprintf.
func New(k Kind, format string, args ...any) *Problem {
	return &Problem{Type: URN + k.Code, Title: k.Title, Status: k.Status, Detail: fmt.Sprintf(format, args...), Code: k.Code}
}

// WithHint adds what to do instead and returns p.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// Invalid returns the problem of a document that rep refuses. The first error
// gives path, code, detail and hint.
func Invalid(rep report.Report) *Problem {
	p := New(InvalidSettings, "%s", InvalidSettings.Title)
	for _, f := range rep.Faults {
		if f.Severity == report.Error {
			p.Path, p.Code, p.Detail, p.Hint = f.Path, string(f.Code), f.Detail, f.Hint
			if f.Code == report.TooLarge && f.Path == "" {
				p.Title = TooLarge.Title
			}
			break
		}
	}
	p.Errors = rep.Faults
	return p
}

// Error gives path and detail, as a log or a command shows them.
func (p *Problem) Error() string {
	if p.Path != "" {
		return p.Path + ": " + p.Detail
	}
	return p.Detail
}

// Write answers a request with p.
func Write(w http.ResponseWriter, p *Problem) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil { // strings and numbers
		panic("problem: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n"))) // whoever hung up needs no answer
}
