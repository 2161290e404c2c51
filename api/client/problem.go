package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// A Problem is an answer that refuses a request: a problem document as in
// RFC 9457, or what could be made of another body.
type Problem struct {
	Type   string         `json:"type,omitempty"`
	Title  string         `json:"title,omitempty"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Path   string         `json:"path,omitempty"` // setting of the first fault
	Code   report.Code    `json:"code,omitempty"`
	Hint   string         `json:"hint,omitempty"`
	Errors []report.Fault `json:"errors,omitempty"` // all faults

	Method string `json:"-"` // of the request
	URI    string `json:"-"`

	Endpoint string `json:"-"` // that answered; empty for a socket
}

// Error gives the first fault and the number of the others; without faults,
// what the API says of the request.
func (p *Problem) Error() string {
	if len(p.Errors) > 0 {
		return (&report.Refusal{Report: p.Report()}).Error()
	}
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("%s %s: %d %s", p.Method, p.URI, p.Status, strings.ToLower(http.StatusText(p.Status)))
}

// Report returns the faults. A problem that is not about settings has none.
func (p *Problem) Report() report.Report {
	var r report.Report
	r.Add(p.Errors...)
	return r
}

// problem makes the Problem of an answer.
func (c *Client) problem(r Request, res *http.Response, body []byte) *Problem {
	p := problemFrom(r, res, body)
	if c.Remote != nil {
		p.Endpoint = c.Remote.Endpoint
	}
	return p
}

// problemFrom makes the Problem of an answer. Bodies that are not problem
// documents become the detail: other servers, and older ones, answer in text.
func problemFrom(r Request, res *http.Response, body []byte) *Problem {
	p := &Problem{}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil {
		p = &Problem{Title: http.StatusText(res.StatusCode)}
		if text := strings.TrimSpace(string(body)); text != "" && media != "text/html" {
			p.Detail = fmt.Sprintf("%s %s: %d %s: %s", r.method(), r.URI, res.StatusCode, strings.ToLower(p.Title), firstLine(text))
		}
	}
	p.Status, p.Method, p.URI = res.StatusCode, r.method(), r.URI
	return p
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}
