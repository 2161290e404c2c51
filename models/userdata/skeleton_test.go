package userdata_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// The skeleton sets nothing, and every line of it can be used as it is.
func TestSkeleton(t *testing.T) {
	names, err := variant.Names(variants)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			v := load(t, name)
			text := string(userdata.Skeleton(v))
			if got := userdata.Parse([]byte(text), v); got.Document.Len() > 0 || len(got.Report.Faults) > 0 {
				t.Errorf("Parse(Skeleton()) = %s, %v, want nothing", got.Document.JSON(), got.Report.Faults)
			}
			var all strings.Builder
			for line := range strings.Lines(text) {
				if len(line) > 2 && line[0] == '#' && line[1] != ' ' {
					line = line[1:]
				}
				all.WriteString(line)
			}
			got := userdata.Parse([]byte(all.String()), v)
			for _, f := range got.Report.Faults {
				if f.Severity == report.Error && f.Code != report.MissingMember && f.Code != report.Conflict {
					t.Errorf("without the marks: %v\n%s", f, strings.Split(all.String(), "\n")[max(f.Line-1, 0)])
				}
			}
			if n := strings.Count(text, "\n#"); got.Document.Len() < 20 || n < 60 {
				t.Errorf("%d lines with %d settings, want more", n, got.Document.Len())
			}
		})
	}
}
