package up

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// userDataCredential is the credential in which a node gets its first settings.
const userDataCredential = "bulkhead.user-data"

// settings are what the user wants of the nodes, checked as far as it can be
// before a node adds its own.
type settings struct {
	variant *variant.Variant
	user    document.Document
	joining string // TOML: what nodes must know of the control plane here; empty for none
}

// mirrors are the settings with which nodes are told where images are.
var mirrors = key.Of("container-registry", "mirrors")

// joinsOther reports whether the user says which control plane nodes join, or that
// they join none.
func (s settings) joinsOther() bool {
	_, server := s.user.Get(key.Of("kubernetes", "api-server"))
	alone, _ := s.user.Get(key.Of("kubernetes", "standalone-mode"))
	return server || alone.JSON() == "true"
}

// remote are the settings with which nodes are reached. They are made here.
var remote = key.Of("api", "remote")

// readUserData reads the file that the user gave, if he gave one. All that is
// wrong with it is told with its place.
func readUserData(root workspace.Root, name, file string) (settings, error) {
	v, err := variant.Load(os.DirFS(root.Path("variants")), name)
	if err != nil {
		return settings{}, err
	}
	s := settings{variant: v}
	if file == "" {
		return s, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return settings{}, fmt.Errorf("user data: %w", err)
	}
	in := v.Schema.ReadTOML(data, schema.Options{Beside: report.Warning})
	s.user = document.Document{}.Apply(in.Patch)
	for k := range s.user.Under(remote).All() {
		at := in.Positions[k]
		in.Report.Add(report.Fault{
			Code: report.Conflict, Path: k.String(), Line: at.Line, Column: at.Column,
			Detail: "shipyard up sets it, so that it reaches the node", Hint: "take it out, and change it with apiclient once the node is up",
		})
	}
	in.Report.Sort()
	for i := range in.Report.Faults {
		in.Report.Faults[i].Source = file
	}
	return s, refusal("user data", in.Report)
}

// identity is what a node shows and whom it trusts, as PEM.
type identity struct {
	clientCA, certificate, key []byte
}

// userData returns the first settings of a node. What the user wants counts
// before what we would like.
func (s settings) userData(name string, id identity) ([]byte, error) {
	wrapped := func(pem []byte) document.Value {
		return document.StringValue(base64.StdEncoding.EncodeToString(pem))
	}
	own := document.Of(
		document.Leaf{Key: remote.Child("enabled"), Value: document.NewValue("true")},
		document.Leaf{Key: remote.Child("listen"), Value: document.NewValue(fmt.Sprintf(`["[::]:%d"]`, apiPort))},
		document.Leaf{Key: remote.Child("client-ca"), Value: wrapped(id.clientCA)},
		document.Leaf{Key: remote.Child("server-certificate"), Value: wrapped(id.certificate)},
		document.Leaf{Key: remote.Child("server-key"), Value: wrapped(id.key)},
		document.Leaf{Key: key.Of("network", "hostname"), Value: document.StringValue(name)},
	)
	joining, err := document.ParseTOML([]byte(s.joining))
	if err != nil {
		return nil, err
	}
	text := document.Merge(s.withMirrors(joining), joining, own).TOML()
	in := s.variant.Schema.ReadTOML(text, schema.Options{})
	rep := in.Report
	if !rep.HasErrors() {
		_, rep = s.variant.Validate(document.Document{}.Apply(in.Patch), document.Document{})
	}
	return text, refusal("user data", rep)
}

// withMirrors returns what the user wants, with those of the registries that nodes
// are told of behind his own.
func (s settings) withMirrors(joining document.Document) document.Document {
	his, ok := s.user.Get(mirrors)
	ours, some := joining.Get(mirrors)
	if !ok || !some {
		return s.user
	}
	both := strings.TrimSuffix(his.JSON(), "]") + "," + strings.TrimPrefix(ours.JSON(), "[")
	if his.JSON() == "[]" {
		both = ours.JSON()
	}
	return document.Merge(document.Of(document.Leaf{Key: mirrors, Value: document.NewValue(both)}), s.user)
}

// refusal returns an error that tells all that is wrong, one fault on a line,
// or nil if nothing is.
func refusal(what string, rep report.Report) error {
	if !rep.HasErrors() {
		return nil
	}
	return fmt.Errorf("%s: %w", what, errors.New(faultLines(rep.Faults)))
}

func faultLines(faults []report.Fault) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// splitPEM divides a file into its certificates and its key.
func splitPEM(text []byte) (certificates, privateKey []byte, err error) {
	const begin = "-----BEGIN PRIVATE KEY-----"
	i := strings.Index(string(text), begin)
	if i <= 0 {
		return nil, nil, errors.New("want certificates and behind them a key")
	}
	return text[:i], text[i:], nil
}
