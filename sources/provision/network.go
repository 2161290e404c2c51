package provision

import (
	"regexp"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/netplan"
	"github.com/bulkhead-os/bulkhead/models/nettoml"
	"github.com/bulkhead-os/bulkhead/models/networkdata"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// yaml is what says the version in YAML or JSON, and cannot stand in TOML.
var yaml = regexp.MustCompile(`(?m)^[\s{]*("?network"?\s*:|"?version"?\s*:)`)

// openstack is what all of OpenStack's descriptions have, and none of the others.
var openstack = regexp.MustCompile(`^\s*\{(?s:.*)"links"\s*:`)

// parseNetwork reads what a source says about the network beside the user data:
// a net.toml, what cloud-init calls network-config, or what OpenStack calls
// network_data.json.
func parseNetwork(data []byte) (*userData, report.Report) {
	u := &userData{name: "net.toml", Text: &userdata.Text{Settings: syntax.NewTable()}}
	read := nettoml.Read
	switch {
	case openstack.Match(data):
		u.name, read = "network_data.json", networkdata.Read
	case yaml.Match(data):
		u.name, read = "network-config", netplan.Read
	}
	settings, rep := read(data)
	if settings != nil {
		u.Settings = settings
		u.root = syntax.NewTable(syntax.Field{Name: key.Root, Value: settings})
	}
	return u, rep
}
