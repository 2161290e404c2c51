package syntax_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// show prints a tree on one line, without positions.
func show(n *syntax.Node) string {
	if n == nil {
		return "nothing"
	}
	var b strings.Builder
	switch n.Kind {
	case syntax.Table:
		b.WriteByte('{')
		for i, f := range n.Fields {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%s=%s", f.Name, show(f.Value))
		}
		b.WriteByte('}')
	case syntax.Array:
		b.WriteByte('[')
		for i, it := range n.Items {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(show(it))
		}
		b.WriteByte(']')
	case syntax.String:
		fmt.Fprintf(&b, "%q", n.Text)
	case syntax.Null:
		b.WriteString("null")
	default:
		b.WriteString(n.Text)
	}
	return b.String()
}

func faults(r report.Report) string {
	var lines []string
	for _, f := range r.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

var small = syntax.Limits{Bytes: 200, Depth: 4, String: 40}

func TestTOML(t *testing.T) {
	tests := []struct {
		name, in, want, faults string
	}{
		{name: "empty", in: "", want: "{}"},
		{name: "nested", in: "a.b = 1\n[c.d]\ne = 'x'\n[c]\nf = [1, true]", want: `{a={b=1} c={d={e="x"} f=[1 true]}}`},
		{name: "array of tables", in: "[[m]]\nr='a'\n[[m]]\nr='b'\n[m.s]\nt=1", want: `{m=[{r="a"} {r="b" s={t=1}}]}`},
		{name: "numbers", in: "a=0x1F\nb=1_000\nc=+5\nd=1.5e3\ne=-0", want: "{a=31 b=1000 c=5 d=1.5e3 e=0}"},
		{
			name: "all duplicates", in: "a=1\na=2\n[t]\nx=1\n[t]\ny=2\n[u]\nz=1\nz=1", want: "{a=1 t={x=1} u={z=1}}",
			faults: "2:1: a: key \"a\" is given twice (it stands first in line 1, column 1)\n" +
				"5:2: t: key \"t\" is given twice (it stands first in line 3, column 2)\n" +
				"9:1: u.z: key \"z\" is given twice (it stands first in line 8, column 1)",
		},
		{name: "table over value", in: "a=1\n[a]\nb=1", want: "{a=1}", faults: `2:2: a: key "a" is given twice (it stands first in line 1, column 1)`},
		{name: "malformed", in: "a=1\nb = \n", want: "nothing", faults: "2:5: TOML: unexpected character U+000A at start of value (want TOML 1.0)"},
		{name: "cut off", in: "a=1\nb = [1,", want: "nothing", faults: "2:7: TOML: array is incomplete (want TOML 1.0)"},
		{name: "not UTF-8", in: "a='\xff'", want: "nothing", faults: "1:4: byte 0xff is not UTF-8 (want text encoded as UTF-8)"},
		{name: "too deep", in: "a.b.c.d.e=1", want: "nothing", faults: "1:7: a.b.c.d: nesting is deeper than 4 levels"},
		{name: "too deep inline", in: "a=[[[[1]]]]", want: "nothing", faults: "1:1: a[0][0][0]: nesting is deeper than 4 levels"},
		{name: "NUL", in: `a="x\u0000"`, want: `{a="x\x00"}`, faults: "1:3: a: string holds a NUL character (want text without it)"},
		{name: "long string", in: "a='" + strings.Repeat("x", 41) + "'", want: `{a="` + strings.Repeat("x", 41) + `"}`, faults: "1:3: a: string has 41 bytes (want at most 40)"},
		{name: "long document", in: strings.Repeat("#", 201), want: "nothing", faults: "document has 201 bytes (want at most 200)"},
		{name: "big integer", in: "a=9223372036854775808", want: "{a=0}", faults: "1:3: a: integer 9223372036854775808 does not fit 64 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, rep := syntax.TOML([]byte(tt.in), small)
			if diff := cmp.Diff(tt.want, show(n)); diff != "" {
				t.Errorf("TOML(%q) (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(tt.faults, faults(rep)); diff != "" {
				t.Errorf("TOML(%q): faults (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	tests := []struct {
		name, in, want, faults string
	}{
		{name: "nested", in: ` {"a":{"b":[1,-2.5,true,null,"x"]},"c":{}} `, want: `{a={b=[1 -2.5 true null "x"]} c={}}`},
		{name: "duplicates", in: "{\"a\":1,\n\"a\":2}", want: "{a=1}", faults: `2:1: a: key "a" is given twice (it stands first in line 1, column 2)`},
		{name: "escaped duplicate", in: `{"a":1,"\u0061":2}`, want: "{a=1}", faults: `1:8: a: key "a" is given twice (it stands first in line 1, column 2)`},
		{name: "cut off", in: `{"a":`, want: "nothing", faults: "1:6: JSON ends too early (want one complete JSON value)"},
		{name: "empty", in: ``, want: "nothing", faults: "1:1: JSON ends too early (want one complete JSON value)"},
		{name: "two values", in: `{} {}`, want: "nothing", faults: "1:4: JSON: more text after the end of the value (want one complete JSON value)"},
		{name: "comma", in: `{"a":1,}`, want: "nothing", faults: "1:7: JSON: invalid character ',' at start of value (want one complete JSON value)"},
		{name: "not UTF-8", in: "{\"a\":\"\xc3\"}", want: "nothing", faults: "1:7: byte 0xc3 is not UTF-8 (want text encoded as UTF-8)"},
		{name: "NUL", in: `{"a":"\u0000"}`, want: `{a="\x00"}`, faults: "1:6: a: string holds a NUL character (want text without it)"},
		{name: "too deep", in: `[[[[[1]]]]]`, want: "nothing", faults: "1:5: [0][0][0][0]: nesting is deeper than 4 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, rep := syntax.JSON([]byte(tt.in), small)
			if diff := cmp.Diff(tt.want, show(n)); diff != "" {
				t.Errorf("JSON(%q) (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(tt.faults, faults(rep)); diff != "" {
				t.Errorf("JSON(%q): faults (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func hasDate(n *syntax.Node) bool {
	if n == nil {
		return false
	}
	for _, f := range n.Fields {
		if hasDate(f.Value) {
			return true
		}
	}
	return n.Kind == syntax.Datetime || slices.ContainsFunc(n.Items, hasDate)
}

// The library's decoder is the judge of what is TOML; our own building of
// tables accepts exactly what it accepts, limits aside.
func FuzzTOML(f *testing.F) {
	for _, s := range []string{
		"a=1", "[a]\nb.c=1\n[a.b]", "[a.b]\n[a]\nb.d=1", "[[a]]\n[a.b]\n[[a]]\n[a.b]", "a={b=1}\n[a.c]", "a.b=1\na.c=2", "[a]\n[a.b]\n[a]",
		"a=[{b=1}]\n[[a]]", "x=0o17\ny=1979-05-27\nz=inf", "[a]\nb.c=1\n[a.b.d]\ne=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, rep := syntax.TOML([]byte(s), syntax.DefaultLimits)
		if strings.Contains(faults(rep), "NUL character") || strings.Contains(faults(rep), "nesting is deeper") {
			return
		}
		if hasDate(n) {
			return // no setting is a date, so that nobody checks that one is well written
		}
		var want map[string]any
		err := toml.Unmarshal([]byte(s), &want)
		if got := !rep.HasErrors(); got != (err == nil) {
			t.Errorf("TOML(%q) = %s, %q; the library says %v", s, show(n), faults(rep), err)
		}
	})
}

// Whatever the text, reading ends, and a node without faults is a whole tree.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2,{"b":null}]}`, `"x"`, `{"a":1e3,"a":"\ud800"}`, "[[[["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, rep := syntax.JSON([]byte(s), syntax.DefaultLimits)
		if n == nil && !rep.HasErrors() {
			t.Errorf("JSON(%q) gives neither a value nor a fault", s)
		}
	})
}
