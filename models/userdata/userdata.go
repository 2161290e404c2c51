// Package userdata turns what a platform hands to a new node into settings.
//
// User data comes in many wrappings and languages: TOML and JSON with a table
// "settings", a part of cloud-config, of Ignition and of Butane, each as it is
// or in gzip, base64 and MIME multi-part texts. Everything in it that stands
// for a setting is taken; everything else is a fault that says which setting to
// use instead. A fault never costs more than the key that it is about, or, where
// the text as a whole cannot be read, that text.
//
// Faults have line and column of the text as its author wrote it: after
// unwrapping, and for a part of a multi-part text within the whole, unless that
// part is itself encoded; then Source names the part.
package userdata

import (
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

// The bounds of user data.
const (
	MaxPacked = 512 << 10 // bytes of what is in gzip or base64
	MaxText   = 8 << 20   // bytes of all texts, unwrapped
	maxYAML   = 1 << 20   // bytes of a text in YAML, whose tree takes a hundred times that
	maxLayers = 4         // wrappings inside one another
	maxParts  = 64        // of multi-part texts, all together
)

// A Format is a language of user data.
type Format string

// The languages. Empty text is in none.
const (
	Empty       Format = "empty"
	TOML        Format = "toml"
	JSON        Format = "json"
	CloudConfig Format = "cloud-config"
	Ignition    Format = "ignition"
	Butane      Format = "butane"
	Multipart   Format = "multipart"
	Unknown     Format = "unknown" // refused
)

// A Text is user data that was read without knowing what can be set.
type Text struct {
	Format Format
	Layers []string // wrappings, outermost first: "gzip", "base64"
	Parts  []Format // of a multi-part text

	// Bytes are the text without its wrappings.
	Bytes []byte
	// Settings is the content of the table "settings", never nil. Where several
	// parts set the same, the last counts.
	Settings *syntax.Node
	// Report has the faults of wrappings and languages, not of settings.
	Report report.Report

	origins map[*syntax.Node]string         // parts with positions of their own
	indexes map[*syntax.Node]map[string]int // of members by name, for Place
}

// Decode reads user data. It never fails as a whole: what cannot be read is in
// the report.
func Decode(data []byte) *Text {
	d := decoder{left: MaxText, text: &Text{Settings: syntax.NewTable(), origins: map[*syntax.Node]string{}, indexes: map[*syntax.Node]map[string]int{}}}
	d.whole(data)
	return d.text
}

// Plain reports whether the text is one that package schema reads as it
// stands, with all positions, and that has settings.
func (t *Text) Plain() bool {
	return (t.Format == TOML || t.Format == JSON) && t.Settings.Pos.Line > 0
}

// A Result is what user data comes to in a variant.
type Result struct {
	*Text
	// Document holds the settings that are valid, also together with the
	// defaults of the variant.
	Document document.Document
	// Report has all faults.
	Report report.Report
}

// Parse reads user data for nodes of variant v.
func Parse(data []byte, v *variant.Variant) Result {
	t := Decode(data)
	in := v.Schema.Decode(t.Settings, schema.Options{})
	r := Result{Text: t, Document: document.Document{}.Apply(in.Patch)}
	for i, f := range in.Report.Faults {
		in.Report.Faults[i].Source = t.source(f.Path)
	}
	r.Report.Merge(t.Report)
	r.Report.Merge(in.Report)
	r.prune(v)
	r.Report.Sort()
	return r
}

// prune takes settings out until the rest is valid as a whole. A fault about
// something that is missing costs the table in which it is missing.
func (r *Result) prune(v *variant.Variant) {
	for {
		_, rep := v.Validate(r.Document, document.Document{})
		before := r.Document.Len()
		drop := map[key.Key]bool{}
		for _, f := range rep.Faults {
			r.note(f)
			if f.Severity != report.Error {
				continue
			}
			if k, ok := r.culprit(f.Path); ok {
				drop[k] = true
			}
		}
		r.Document = r.Document.Filter(func(k key.Key, _ document.Value) bool {
			for ; !k.IsRoot(); k = k.Parent() {
				if drop[k] {
					return false
				}
			}
			return true
		})
		if r.Document.Len() == before {
			return
		}
	}
}

// note adds f, a fault of the document, with its place, unless what it is about
// was reported where it stands.
func (r *Result) note(f report.Fault) {
	source, pos := r.Place(f.Path)
	f.Source, f.Line, f.Column = source, pos.Line, pos.Column
	for _, have := range r.Report.Faults {
		if have.Path == f.Path && (have.Severity == f.Severity || have.Severity == report.Error) {
			return
		}
	}
	r.Report.Add(f)
}

// culprit returns the key that the fault at path is about, or the nearest table
// round it that user data sets something in.
func (r *Result) culprit(path string) (key.Key, bool) {
	k, err := key.Parse(withoutIndex(path))
	if err != nil {
		return key.Key{}, false
	}
	for ; !k.IsRoot(); k = k.Parent() {
		if r.Document.Under(k).Len() > 0 {
			return k, true
		}
	}
	return key.Key{}, false
}
