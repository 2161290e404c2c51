package userdata

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A decoder reads one piece of user data with all that is in it.
type decoder struct {
	text  *Text
	left  int // bytes that wrappings may still hold
	parts int // of multi-part texts so far
}

// whole reads all of it.
func (d *decoder) whole(data []byte) {
	if len(data) > MaxText {
		d.text.Format = Unknown
		d.text.Report.Add(report.Fault{
			Code: report.TooLarge, Detail: fmt.Sprintf("user data has %d bytes", len(data)), Hint: fmt.Sprintf("want at most %d", MaxText),
		})
		return
	}
	p := d.piece(data, maxLayers, "")
	d.text.Format, d.text.Layers, d.text.Bytes = p.format, p.layers, p.text
	d.text.Report.Merge(p.rep)
	if p.settings != nil {
		d.text.Settings = p.settings
	}
	d.text.Report.Sort()
}

// A piece is one text, or a multi-part text with all its parts.
type piece struct {
	format   Format
	layers   []string
	text     []byte
	settings *syntax.Node // content of "settings", or nil
	rep      report.Report
	left     *int // bytes that texts packed inside of it may have
}

func (p *piece) fault(code report.Code, detail, hint string) {
	p.rep.Add(report.Fault{Code: code, Detail: detail, Hint: hint})
}

// piece reads data, which may be wrapped up to depth times. A declared format
// is that of a part which says so itself.
func (d *decoder) piece(data []byte, depth int, declared Format) piece {
	p := piece{format: Unknown, left: &d.left}
	var ok bool
	if p.text, p.layers, ok = d.unwrap(&p, data, depth); !ok {
		return p
	}
	p.text = bytes.TrimPrefix(p.text, []byte("\xef\xbb\xbf"))
	if h, isMail := mailHeader(p.text); isMail {
		d.mail(&p, h, depth-len(p.layers)-1)
		return p
	}
	p.read(declared)
	return p
}

// read finds out the language of p's text and reads it.
func (p *piece) read(declared Format) {
	first, _, _ := bytes.Cut(p.text, []byte("\n"))
	line := strings.TrimRight(string(first[:min(len(first), 200)]), " \t\r")
	switch {
	case len(bytes.TrimSpace(p.text)) == 0:
		p.format = Empty
	case declared == CloudConfig || line == "#cloud-config":
		p.cloudConfig()
	case declared == Ignition || declared == JSON || startsWith(p.text, '{'):
		p.json()
	case declared == Butane:
		p.butane()
	default:
		p.toml(line)
	}
}

func startsWith(text []byte, c byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == c
}

// json reads settings, or an Ignition configuration, in JSON.
func (p *piece) json() {
	p.format = JSON
	root, rep := syntax.JSON(p.text, syntax.DefaultLimits)
	p.rep.Merge(rep)
	if root == nil {
		return
	}
	if root.Kind == syntax.Table && root.Field(key.Root) == nil && root.Field("ignition") != nil {
		p.format = Ignition
		p.ignition(root)
		return
	}
	p.table(root)
}

// toml reads settings in TOML. Only a text that is not TOML is looked at for
// signs of another language: a comment may say anything.
func (p *piece) toml(line string) {
	root, rep := syntax.TOML(p.text, syntax.DefaultLimits)
	if root != nil && (root.Field(key.Root) != nil || otherLanguage(line) == nil) {
		p.format = TOML
		p.rep.Merge(rep)
		p.table(root)
		return
	}
	switch other := otherLanguage(line); {
	case other != nil:
		p.rep.Add(*other)
	case looksLikeButane(p.text):
		p.butane()
	default:
		p.format = TOML
		for _, f := range rep.Faults {
			if f.Code == report.Syntax && hasLine(p.text, "settings:") {
				f.Hint = "this looks like YAML; want TOML or JSON: apiclient user-data new prints a text to start from"
			}
			p.rep.Add(f)
		}
	}
}

// table takes the settings out of root.
func (p *piece) table(root *syntax.Node) {
	if root.Kind != syntax.Table {
		p.rep.Add(report.Fault{Code: report.WrongType, Detail: "want a table with settings, got " + root.Kind.String(), Line: root.Pos.Line, Column: root.Pos.Column})
		return
	}
	n := root.Field(key.Root)
	switch {
	case n == nil:
		p.fault(report.UnknownSetting, "user data has no table "+key.Root, `settings belong below [settings] in TOML, in {"settings": {…}} in JSON`)
		return
	case n.Kind != syntax.Table:
		p.rep.Add(report.Fault{Code: report.WrongType, Path: key.Root, Detail: "want a table, got " + n.Describe(), Line: n.Pos.Line, Column: n.Pos.Column})
		return
	}
	for _, f := range root.Fields {
		if f.Name == key.Root {
			continue
		}
		p.rep.Add(report.Fault{
			Severity: report.Warning, Code: report.UnknownSetting, Path: f.Name, Line: f.Pos.Line, Column: f.Pos.Column,
			Detail: fmt.Sprintf("%q stands beside %q and is ignored", f.Name, key.Root), Hint: "settings belong below [settings]",
		})
	}
	p.settings = n
}

// hasLine reports whether a line of text begins with prefix.
func hasLine(text []byte, prefix string) bool {
	return bytes.HasPrefix(text, []byte(prefix)) || bytes.Contains(text, []byte("\n"+prefix))
}

// otherLanguage says what is wrong with user data that begins with line, as
// cloud-init tells its languages apart, or nil.
func otherLanguage(line string) *report.Fault {
	for _, l := range otherLanguages {
		if strings.HasPrefix(line, l.first) {
			return &report.Fault{Code: report.Unsupported, Detail: l.what + " is not read here", Hint: l.hint, Line: 1, Column: 1, Severity: report.Error}
		}
	}
	return nil
}
