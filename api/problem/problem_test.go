package problem_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/report"
)

func TestWrite(t *testing.T) {
	tests := []struct {
		name   string
		in     *problem.Problem
		status int
		body   string
	}{
		{
			name:   "kind with detail and hint",
			in:     problem.New(problem.NoGeneration, "there is no generation %d", 7).WithHint("see GET /generations"),
			status: 404,
			body: `{"type":"urn:bulkhead:problem:no-generation","title":"unknown generation","status":404,"detail":"there is no generation 7",` +
				`"code":"no-generation","hint":"see GET /generations"}`,
		},
		{
			name: "report, whose first error speaks for all",
			in: problem.Invalid(report.Report{Faults: []report.Fault{
				{Severity: report.Warning, Path: "settings.a", Code: report.Deprecated, Detail: "the setting is deprecated"},
				{Severity: report.Error, Path: "settings.motd", Value: "1", Code: report.WrongType, Detail: "want a string, got 1", Hint: "quote it", Line: 1, Column: 9},
			}}),
			status: 400,
			body: `{"type":"urn:bulkhead:problem:invalid-settings","title":"invalid settings","status":400,"detail":"want a string, got 1","path":"settings.motd",` +
				`"code":"wrong-type","hint":"quote it","errors":[{"severity":"warning","path":"settings.a","code":"deprecated","detail":"the setting is deprecated"},` +
				`{"severity":"error","path":"settings.motd","value":"1","code":"wrong-type","detail":"want a string, got 1","hint":"quote it","line":1,"column":9}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			problem.Write(rec, tt.in)
			if rec.Code != tt.status || rec.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("Write(%v): status %d, type %q, want %d, %q", tt.in, rec.Code, rec.Header().Get("Content-Type"), tt.status, problem.ContentType)
			}
			if diff := cmp.Diff(tt.body, rec.Body.String()); diff != "" {
				t.Errorf("Write(%v): body (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// Codes are what programs branch on: each names one kind, and the page of
// problems has them all.
func TestKindsAreDistinct(t *testing.T) {
	page := string(problem.Reference())
	seen := map[string]bool{}
	for _, k := range problem.Kinds() {
		if seen[k.Code] {
			t.Errorf("code %q stands for two kinds", k.Code)
		}
		seen[k.Code] = true
		if !strings.Contains(page, "`"+k.Code+"`") {
			t.Errorf("Reference() lacks %q", k.Code)
		}
		if k.Status < 400 || k.Title == "" || k.About == "" {
			t.Errorf("kind %+v is not complete", k)
		}
	}
	for _, c := range problem.FaultCodes() {
		if !strings.Contains(page, "`"+string(c.Code)+"`") {
			t.Errorf("Reference() lacks the fault code %q", c.Code)
		}
	}
}
