package report_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

func TestFaultString(t *testing.T) {
	tests := []struct {
		name  string
		fault report.Fault
		want  string
	}{
		{"from a file", report.Fault{Severity: report.Error, Source: "a.toml", Line: 3, Column: 7, Path: "settings.motd", Detail: "want a string, got 1"}, "a.toml:3:7: settings.motd: want a string, got 1"},
		{"with a hint", report.Fault{Severity: report.Error, Path: "settings.ntp", Detail: "is wrong", Hint: "want it right"}, "settings.ntp: is wrong (want it right)"},
		{"warning", report.Fault{Severity: report.Warning, Line: 1, Column: 2, Detail: "is old"}, "1:2: warning: is old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.fault.String(); got != tt.want {
				t.Errorf("String = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestErr(t *testing.T) {
	var r report.Report
	r.Add(report.Fault{Severity: report.Warning, Detail: "is old"})
	if err := r.Err(); err != nil {
		t.Errorf("a warning refuses: %v", err)
	}
	r.Add(report.Fault{Path: "settings.a", Detail: "is wrong"}, report.Fault{Path: "settings.b", Detail: "is wrong too"})
	err := fmt.Errorf("apply: %w", r.Err())
	if want := "apply: settings.a: is wrong (and 1 more)"; err.Error() != want {
		t.Errorf("Err = %q, want %q", err, want)
	}
	if ref, ok := errors.AsType[*report.Refusal](err); !ok || len(ref.Report.Faults) != 3 {
		t.Errorf("the refusal does not carry its report: %v", err)
	}
}

func TestPlace(t *testing.T) {
	var r report.Report
	p := report.NewPlace(&r, key.Of("kubernetes"))
	p.In("eviction-soft").Missing("memory.available", "has no grace period", "set one")
	p.Conflict("max-pods", 5, "is odd", "")
	p.Warn("log-level", nil, "is high", "")
	want := []report.Fault{
		{Severity: report.Error, Path: `settings.kubernetes.eviction-soft."memory.available"`, Code: report.MissingMember, Detail: "has no grace period", Hint: "set one"},
		{Severity: report.Error, Path: "settings.kubernetes.max-pods", Value: "5", Code: report.Conflict, Detail: "is odd"},
		{Severity: report.Warning, Path: "settings.kubernetes.log-level", Code: report.Conflict, Detail: "is high"},
	}
	if diff := cmp.Diff(want, r.Faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestSort(t *testing.T) {
	r := report.Report{Faults: []report.Fault{{Path: "b"}, {Line: 2, Path: "a"}, {Line: 1, Column: 9, Path: "z"}, {Path: "a"}}}
	r.Sort()
	var got []string
	for _, f := range r.Faults {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Path))
	}
	if diff := cmp.Diff([]string{"0:0 a", "0:0 b", "1:9 z", "2:0 a"}, got); diff != "" {
		t.Errorf("Sort (-want +got):\n%s", diff)
	}
}
