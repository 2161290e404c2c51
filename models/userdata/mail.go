package userdata

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A header is that of a MIME text or of one of its parts.
type header struct {
	fields map[string]string // by names in small letters
	body   int               // offset of what follows the empty line
}

// mailHeader reads the header of a MIME text; ok is false when text is none.
func mailHeader(text []byte) (h header, ok bool) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	name, _, isField := bytes.Cut(line, []byte(":"))
	if !isField || !isFieldName(name) {
		return header{}, false
	}
	h = readHeader(text)
	return h, strings.Contains(h.fields["content-type"], "/")
}

func isFieldName(name []byte) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return len(name) > 0
}

// readHeader reads fields up to an empty line, or to the first line that is no
// field. Of fields given twice the first counts.
func readHeader(text []byte) header {
	h := header{fields: map[string]string{}}
	last := ""
	for h.body < len(text) {
		line, _, _ := bytes.Cut(text[h.body:], []byte("\n"))
		next := min(h.body+len(line)+1, len(text))
		trimmed := bytes.TrimRight(line, " \t\r")
		name, value, isField := bytes.Cut(trimmed, []byte(":"))
		switch {
		case len(trimmed) == 0:
			h.body = next
			return h
		case line[0] == ' ' || line[0] == '\t': // goes on
			if last != "" {
				h.fields[last] += " " + string(bytes.TrimSpace(trimmed))
			}
		case !isField || !isFieldName(name):
			return h
		default:
			last = strings.ToLower(string(name))
			if _, twice := h.fields[last]; twice {
				last = ""
				break
			}
			h.fields[last] = string(bytes.TrimSpace(value))
		}
		h.body = next
	}
	return h
}

// mail reads a text with a MIME header: one of several parts, or a single one.
func (d *decoder) mail(p *piece, h header, depth int) {
	kind, params, err := mime.ParseMediaType(h.fields["content-type"])
	if err != nil {
		p.rep.Add(report.Fault{Code: report.Syntax, Detail: "Content-Type: " + err.Error(), Line: 1, Column: 1})
		return
	}
	if !strings.HasPrefix(kind, "multipart/") {
		d.text.Parts = append(d.text.Parts, d.part(p, segment{from: 0, to: len(p.text)}, "", depth))
		p.format = Multipart
		return
	}
	p.format = Multipart
	boundary := params["boundary"]
	if boundary == "" {
		p.rep.Add(report.Fault{Code: report.Syntax, Detail: "Content-Type names no boundary between parts", Hint: `want multipart/mixed; boundary="…"`, Line: 1, Column: 1})
		return
	}
	if depth < 0 {
		p.fault(report.TooLarge, "multi-part texts are nested too deep", "put all parts side by side")
		return
	}
	segments, ended := split(p.text, h.body, boundary)
	for _, s := range segments {
		if d.parts++; d.parts > maxParts {
			p.fault(report.TooLarge, fmt.Sprintf("user data has more than %d parts", maxParts), "")
			return
		}
		d.text.Parts = append(d.text.Parts, d.part(p, s, fmt.Sprintf("part %d", d.parts), depth))
	}
	if !ended {
		p.fault(report.Syntax, fmt.Sprintf("the line --%.70s-- that ends the last part is missing", boundary), "the text may have been cut off on its way")
	}
}

// A segment is where a part stands, its header included.
type segment struct{ from, to int }

// split finds the parts of text, from offset on, and whether their end is
// marked.
func split(text []byte, offset int, boundary string) (parts []segment, ended bool) {
	from := -1
	for at := offset; at < len(text); {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		next := min(at+len(line)+1, len(text))
		mark, is := strings.CutPrefix(strings.TrimRight(string(line[:min(len(line), 200)]), " \t\r"), "--"+boundary)
		if !is || mark != "" && mark != "--" {
			at = next
			continue
		}
		if from >= 0 {
			parts = append(parts, segment{from, max(from, at-lineEnd(text[:at]))})
		}
		if mark == "--" {
			return parts, true
		}
		from, at = next, next
	}
	if from >= 0 {
		parts = append(parts, segment{from, len(text)})
	}
	return parts, false
}

// lineEnd returns the length of the line break that text ends with. The one
// before a boundary belongs to the boundary.
func lineEnd(text []byte) int {
	switch {
	case bytes.HasSuffix(text, []byte("\r\n")):
		return 2
	case bytes.HasSuffix(text, []byte("\n")):
		return 1
	}
	return 0
}

// part reads the part of p at s and adds what it says to p.
func (d *decoder) part(p *piece, s segment, name string, depth int) Format {
	h := readHeader(p.text[s.from:s.to])
	body := p.text[s.from+h.body : s.to]
	if file := fileName(h); file != "" {
		name = strings.TrimSpace(name + " (" + file + ")")
	}
	raw, err := transferred(h.fields["content-transfer-encoding"], body)
	if err != nil {
		p.rep.Add(report.Fault{Code: report.Syntax, Detail: "Content-Transfer-Encoding: " + err.Error(), Source: name, Line: 1, Column: 1})
		return Unknown
	}
	encoded := len(raw) != len(body)
	if encoded {
		d.left -= len(raw)
	}
	format, refusal := declared(h.fields["content-type"], raw)
	if refusal != nil {
		refusal.Line = 1 + bytes.Count(p.text[:s.from], []byte("\n"))
		refusal.Column = 1
		p.rep.Add(*refusal)
		return Unknown
	}
	var inner piece
	if isMultipart(h) {
		inner = piece{text: raw, left: &d.left}
		d.mail(&inner, header{fields: h.fields}, depth-1)
	} else {
		inner = d.piece(raw, depth, format)
	}
	d.adopt(p, inner, name, encoded || len(inner.layers) > 0, bytes.Count(p.text[:s.from+h.body], []byte("\n")))
	return inner.format
}

// adopt adds what part says to p. Where the part was encoded, its lines are its
// own; else they are counted from the beginning of p.
func (d *decoder) adopt(p *piece, part piece, name string, encoded bool, lines int) {
	for _, f := range part.rep.Faults {
		switch {
		case f.Source != "": // a part of the part
		case encoded || f.Line == 0:
			f.Source = name
		default:
			f.Line += lines
		}
		p.rep.Add(f)
	}
	if part.settings == nil {
		return
	}
	if encoded {
		d.text.mark(part.settings, name)
	} else {
		shift(part.settings, lines)
	}
	if p.settings == nil {
		p.settings = syntax.NewTable()
	}
	lay(p.settings, part.settings)
}

func isMultipart(h header) bool {
	kind, _, _ := mime.ParseMediaType(h.fields["content-type"])
	return strings.HasPrefix(kind, "multipart/")
}

func fileName(h header) string {
	_, params, err := mime.ParseMediaType(h.fields["content-disposition"])
	if err != nil {
		return ""
	}
	return printable(params["filename"])
}

// printable keeps a name from another text short and on its line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 60)]
}

// transferred undoes the encoding of a part on its way.
func transferred(encoding string, body []byte) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return body, nil
	case "base64":
		return io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	case "quoted-printable":
		return io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	}
	return nil, fmt.Errorf("%.40q is not known, want 7bit, 8bit, binary, base64 or quoted-printable", encoding)
}

// declared returns the format that a part's Content-Type names, empty where it
// names none, or why the part is not read.
func declared(contentType string, body []byte) (Format, *report.Fault) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "text/cloud-config":
		return CloudConfig, nil
	case "application/json":
		return JSON, nil
	case "application/vnd.coreos.ignition+json":
		return Ignition, nil
	}
	if other := otherType(kind); other != nil && len(bytes.TrimSpace(body)) > 0 {
		return "", other
	}
	return "", nil // what the text itself looks like counts
}
