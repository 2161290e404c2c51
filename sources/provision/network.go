package provision

import (
	"regexp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/netplan"
	"github.com/bulkhead-os/bulkhead/models/nettoml"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// yaml is what says the version in YAML or JSON, and cannot stand in TOML.
var yaml = regexp.MustCompile(`(?m)^[\s{]*("?network"?\s*:|"?version"?\s*:)`)

// parseNetwork reads what a source says about the network beside the user data:
// a net.toml, or what cloud-init calls network-config.
func parseNetwork(data []byte) (*userData, report.Report) {
	u := &userData{name: "net.toml", Text: &userdata.Text{Settings: syntax.NewTable()}}
	read := nettoml.Read
	if yaml.Match(data) {
		u.name, read = "network-config", netplan.Read
	}
	settings, rep := read(data)
	if settings != nil {
		u.Settings = settings
		u.root = syntax.NewTable(syntax.Field{Name: key.Root, Value: settings})
	}
	return u, rep
}
