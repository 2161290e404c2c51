package syntax

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Limits bound what a reader accepts.
type Limits struct {
	Bytes  int // of the whole text
	Depth  int // of nesting, the outermost table counts 1
	String int // bytes of one string
}

// DefaultLimits are those of the API: 8 MiB of text, 32 levels, strings of 4 MiB.
var DefaultLimits = Limits{Bytes: 8 << 20, Depth: 32, String: 4 << 20}

// A text gives offsets their line and column.
type text struct {
	data   []byte
	starts []int // offsets of the lines
	limits Limits
	rep    report.Report
}

func newText(data []byte, limits Limits) *text {
	t := &text{data: data, limits: limits, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	return t
}

func (t *text) pos(offset int) Pos {
	line, found := slices.BinarySearch(t.starts, offset)
	if !found {
		line--
	}
	return Pos{Line: line + 1, Column: offset - t.starts[line] + 1}
}

func (t *text) fault(code report.Code, p Pos, path, detail, hint string) {
	t.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

// acceptable checks what both languages demand of the bytes as such.
func (t *text) acceptable() bool {
	if len(t.data) > t.limits.Bytes {
		t.fault(report.TooLarge, Pos{}, "", fmt.Sprintf("document has %d bytes", len(t.data)), fmt.Sprintf("want at most %d", t.limits.Bytes))
		return false
	}
	if i := invalidUTF8(t.data); i >= 0 {
		t.fault(report.Syntax, t.pos(i), "", fmt.Sprintf("byte 0x%02x is not UTF-8", t.data[i]), "want text encoded as UTF-8")
		return false
	}
	return true
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	i := 0
	for i < len(data) {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		i += n
	}
	return i
}

// checkString applies the limits on one string, which the languages could
// hold but no setting may.
func (t *text) checkString(s string, p Pos, path string) {
	if len(s) > t.limits.String {
		t.fault(report.TooLarge, p, path, fmt.Sprintf("string has %d bytes", len(s)), fmt.Sprintf("want at most %d", t.limits.String))
	}
	if strings.IndexByte(s, 0) >= 0 {
		t.fault(report.InvalidValue, p, path, "string holds a NUL character", "want text without it")
	}
}

// A builder makes one table, looking names up in constant time.
type builder struct {
	node  *Node
	index map[string]int // nil while the table is small
}

const indexFrom = 16 // below, a scan is faster than a map

func (b *builder) find(name string) int {
	if b.index != nil {
		if i, ok := b.index[name]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(b.node.Fields, func(f Field) bool { return f.Name == name })
}

func (b *builder) add(f Field) {
	b.node.Fields = append(b.node.Fields, f)
	switch n := len(b.node.Fields); {
	case b.index != nil:
		b.index[f.Name] = n - 1
	case n == indexFrom:
		b.index = make(map[string]int, 2*n)
		for i, f := range b.node.Fields {
			b.index[f.Name] = i
		}
	}
}

// memberPath extends the path of a table for faults found before the schema
// has had a look: segments that are not plain are quoted.
func memberPath(path, name string) string {
	if strings.ContainsAny(name, ".\" \t\n") {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
