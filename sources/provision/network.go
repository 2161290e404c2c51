package provision

import (
	"bytes"

	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/nettoml"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// parseNetwork reads what a source says about the network beside the user data:
// a net.toml.
func parseNetwork(data []byte) (*userData, report.Report) {
	u := &userData{name: "net.toml", Text: &userdata.Text{Settings: syntax.NewTable()}}
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if root == nil && bytes.Contains(data, []byte("version:")) {
		u.name, rep = "network-config", report.Report{}
		rep.Add(report.Fault{
			Code: report.Unsupported, Detail: "network-config of cloud-init is not read",
			Hint: "set settings.network.interfaces, or put a net.toml in its place",
		})
		return u, rep
	}
	if root == nil {
		return u, rep
	}
	settings, rep := nettoml.Convert(root)
	if settings != nil {
		u.Settings = settings
		u.root = syntax.NewTable(syntax.Field{Name: key.Root, Value: settings})
	}
	return u, rep
}
