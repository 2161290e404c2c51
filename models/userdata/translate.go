package userdata

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/pki"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A translator makes settings of a tree in another language.
type translator struct {
	language string              // for errors
	name     func(string) string // what a key is called in the tables of handlers
	rep      *report.Report
	settings *syntax.Node
	keys     []string // for the admin container
	known    map[string]bool
	keysAt   syntax.Pos
}

func newTranslator(language string, rep *report.Report) *translator {
	return &translator{language: language, name: func(s string) string { return s }, rep: rep, settings: syntax.NewTable(), known: map[string]bool{}}
}

// A handler reads the member f of a table, which path names.
type handler func(f syntax.Field, path string)

// finish returns the settings, or nil when there are none.
func (t *translator) finish() *syntax.Node {
	t.setKeys()
	if len(t.settings.Fields) == 0 {
		return nil
	}
	return t.settings
}

// set gives the setting called by names the value v. What is set first stays.
func (t *translator) set(v *syntax.Node, names ...string) {
	n := t.settings
	for i, name := range names {
		at := slices.IndexFunc(n.Fields, func(f syntax.Field) bool { return f.Name == name })
		if at < 0 {
			f := syntax.Field{Name: name, Pos: v.Pos, Value: v}
			if i < len(names)-1 {
				f.Value = &syntax.Node{Kind: syntax.Table, Pos: v.Pos}
			}
			n.Fields = append(n.Fields, f)
			at = len(n.Fields) - 1
		}
		n = n.Fields[at].Value
	}
}

func (t *translator) fault(code report.Code, p syntax.Pos, path, detail, hint string) {
	t.rep.Add(report.Fault{Code: code, Path: path, Detail: detail, Hint: hint, Line: p.Line, Column: p.Column})
}

// refuse reports that what stands at path is not read.
func (t *translator) refuse(p syntax.Pos, path, hint string) {
	t.fault(report.Unsupported, p, path, t.language+" asks for what no setting stands for", hint)
}

func (t *translator) wrongType(n *syntax.Node, path, want string) {
	t.fault(report.WrongType, n.Pos, path, "want "+want+", got "+n.Kind.String(), "")
}

// members hands the members of the table n to their handlers. Null stands for a
// member that is not there.
func (t *translator) members(n *syntax.Node, path string, known map[string]handler, unknown handler) {
	if n.Kind != syntax.Table {
		t.wrongType(n, path, "a table")
		return
	}
	for _, f := range n.Fields {
		at := f.Name
		if path != "" {
			at = path + "." + at
		}
		h := known[t.name(f.Name)]
		switch {
		case h == nil:
			unknown(f, at)
		case f.Value.Kind != syntax.Null:
			h(f, at)
		}
	}
}

// unknown is the handler of what the language does not have.
func (t *translator) unknown(f syntax.Field, path string) {
	t.fault(report.UnknownSetting, f.Pos, path, fmt.Sprintf("%s has no key %q here, or not for this system", t.language, shorten(f.Name)), "")
}

// ignore is the handler of what changes nothing here.
func ignore(syntax.Field, string) {}

// list hands the items of a list to each.
func (t *translator) list(n *syntax.Node, path string, each func(item *syntax.Node, path string)) {
	if n.Kind != syntax.Array {
		t.wrongType(n, path, "a list")
		return
	}
	for i, item := range n.Items {
		each(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

// text returns the string n; ok is false, and a fault reported, when it is none.
func (t *translator) text(n *syntax.Node, path string) (string, bool) {
	if n.Kind != syntax.String {
		t.wrongType(n, path, "a string")
		return "", false
	}
	return n.Text, true
}

// key takes an SSH key for the admin container.
func (t *translator) key(n *syntax.Node, path string) {
	s, ok := t.text(n, path)
	if !ok {
		return
	}
	if fault := keyFault(s); fault != "" {
		t.fault(report.InvalidValue, n.Pos, path, "SSH key "+fault, "want a line as in ~/.ssh/id_ed25519.pub: ssh-ed25519 AAAA… name")
		return
	}
	if s = strings.TrimSpace(s); !t.known[s] {
		t.known[s] = true
		t.keys = append(t.keys, s)
	}
	if t.keysAt.Line == 0 {
		t.keysAt = n.Pos
	}
}

// keyFault says what keeps s from being a line of authorized_keys.
func keyFault(s string) string {
	if strings.ContainsAny(strings.TrimSpace(s), "\r\n\x00") {
		return "has several lines"
	}
	words := strings.Fields(s)
	for i, w := range words[:max(len(words)-1, 0)] {
		if !strings.HasPrefix(w, "ssh-") && !strings.HasPrefix(w, "ecdsa-") && !strings.HasPrefix(w, "sk-") {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(words[i+1])
		// The blob begins with the length of the name of its algorithm, and that.
		if err == nil && len(blob) > 4+len(w) && string(blob[4:4+len(w)]) == w {
			return ""
		}
	}
	return "is not one"
}

// setKeys gives the keys to the admin container, in its own form.
func (t *translator) setKeys() {
	if len(t.keys) == 0 {
		return
	}
	var data struct {
		SSH struct {
			Keys []string `json:"authorized-keys"`
		} `json:"ssh"`
	}
	data.SSH.Keys = t.keys
	text, err := json.Marshal(data)
	if err != nil { // strings only
		panic("userdata: " + err.Error())
	}
	v := syntax.NewString(base64.StdEncoding.EncodeToString(text))
	v.Pos = t.keysAt
	t.set(v, "host-containers", "admin", "user-data")
	t.rep.Add(report.Fault{
		Severity: report.Info, Code: report.Unsupported, Path: "settings.host-containers.admin.user-data", Line: t.keysAt.Line, Column: t.keysAt.Column,
		Detail: "SSH keys are given to the admin container, which does not run unless it is enabled", Hint: "set settings.host-containers.admin.enabled = true in a TOML part, or later",
	})
}

// authority takes certificates, in PEM, as trusted. Their name follows from
// what they are, so that the same ones are there once.
func (t *translator) authority(pem []byte, at syntax.Pos, path string) {
	text := base64.StdEncoding.EncodeToString(pem)
	switch c, err := pki.ParseCertificates(text); {
	case err != nil:
		t.fault(report.InvalidValue, at, path, err.Error(), "want certificates in PEM")
		return
	case c.IsEmpty():
		t.fault(report.InvalidValue, at, path, "certificates: the text is empty", "want certificates in PEM")
		return
	}
	sum := sha256.Sum256(pem)
	name := "user-data-" + hex.EncodeToString(sum[:6])
	data := syntax.NewString(text)
	data.Pos = at
	t.set(data, "pki", name, "data")
	t.set(&syntax.Node{Kind: syntax.Bool, Text: "true", Pos: at}, "pki", name, "trusted")
}
