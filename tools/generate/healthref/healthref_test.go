package healthref

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// The page has all codes of the programs and no others.
func TestPage(t *testing.T) {
	page, err := Page(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, c := range g.codes {
			if !strings.Contains(string(page), "| `"+c.name+"` | ") {
				t.Errorf("the page has no row for %s", c.name)
			}
			for _, text := range []string{c.cause, c.remedy} {
				if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n") {
					t.Errorf("%s: %q is no sentence of one cell", c.name, text)
				}
			}
			switch c.severity {
			case "error", "warning", "info", "error or warning", "error or info":
			default:
				t.Errorf("%s: severity %q", c.name, c.severity)
			}
		}
	}
}

func TestScan(t *testing.T) {
	const source = `package x

import "github.com/bulkhead-os/bulkhead/models/report"

const (
	codeOne report.Code = "one" // a comment
	other               = "none"
)

const codeTwo report.Code = "two"

var f = []any{report.Fault{Code: "three"}, report.Fault{Code: codeOne}, Fault{Code: "four"}}
`
	fsys := fstest.MapFS{
		"api/x/x.go": {Data: []byte(source)}, "api/x/x_test.go": {Data: []byte("package x\n\nconst c report.Code = \"of a test\"\n")},
		"sources/y/testdata/z.go": {Data: []byte("no Go")}, "sources/y/y.go": {Data: []byte("package y\n\nconst One report.Code = \"one\"\n")},
	}
	got, err := scan(fsys)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"one": {"api/x/x.go:6", "sources/y/y.go:3"}, "two": {"api/x/x.go:10"}, "three": {"api/x/x.go:12"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan (-want +got):\n%s", diff)
	}
	fsys["api/x/broken.go"] = &fstest.MapFile{Data: []byte("no Go")}
	if _, err := scan(fsys); err == nil {
		t.Error("scan of a file that is no Go: no error")
	}
}

func TestPageRefuses(t *testing.T) {
	rows := func(names ...string) []group {
		g := group{title: "x"}
		for _, n := range names {
			g.codes = append(g.codes, code{n, "error", "It is.", "Nothing."})
		}
		return []group{g}
	}
	found := map[string][]string{"one": {"api/x.go:1"}, "two": {"api/x.go:2"}}
	tests := []struct {
		name   string
		groups []group
		want   string
	}{
		{"all", rows("one", "two"), ""},
		{"one is missing", rows("one"), `code "two" (api/x.go:2) has no row in tools/generate/healthref/codes.go: add its cause and what to do`},
		{"one too many", rows("one", "two", "three"), `code "three" has a row in tools/generate/healthref/codes.go, and no program has it`},
		{"twice", rows("one", "two", "one"), `code "one" has two rows in tools/generate/healthref/codes.go`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := page(tt.groups, found)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("page: error %q, want %q", got, tt.want)
			}
		})
	}
}
