package userdata

import (
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// cloudConfig reads the part of cloud-config that settings stand for: the
// host's name, SSH keys, certificate authorities and time servers.
func (p *piece) cloudConfig() {
	p.format = CloudConfig
	root := readYAML(p.text, &p.rep)
	if root == nil || root.Kind == syntax.Null {
		return
	}
	c := cloudConfig{newTranslator("cloud-config", &p.rep), root}
	c.members(root, "", c.top(), c.other)
	p.settings = c.finish()
}

type cloudConfig struct {
	*translator
	root *syntax.Node
}

func (c cloudConfig) top() map[string]handler {
	return map[string]handler{
		"hostname": func(f syntax.Field, _ string) { c.set(f.Value, "network", "hostname") },
		"fqdn": func(f syntax.Field, path string) {
			if c.root.Field("hostname") == nil {
				c.set(f.Value, "network", "hostname")
				return
			}
			c.rep.Add(report.Fault{
				Severity: report.Warning, Code: report.Conflict, Path: path, Line: f.Pos.Line, Column: f.Pos.Column,
				Detail: "the node has one name, and hostname gives it", Hint: "leave out hostname to have the long one",
			})
		},
		"preserve_hostname":   c.only(false, "leave out hostname to have settings.network.hostname generated"),
		"ssh_authorized_keys": func(f syntax.Field, path string) { c.list(f.Value, path, c.key) },
		"users":               func(f syntax.Field, path string) { c.list(f.Value, path, c.user) },
		"ca_certs":            c.authorities,
		"ca-certs":            c.authorities,
		"ntp":                 c.ntp,
	}
}

// other refuses what is no part of what is read.
func (c cloudConfig) other(f syntax.Field, path string) {
	hint, known := cloudHints[f.Name]
	switch {
	case f.Name == "write_files" && f.Value.Kind == syntax.Array:
		c.list(f.Value, path, c.file)
	case known:
		c.refuse(f.Pos, path, hint)
	default:
		names := slices.Sorted(maps.Keys(c.top()))
		c.fault(report.Unsupported, f.Pos, path, "this key of cloud-config is not read here", "read are "+strings.Join(names, ", ")+"; everything else is a setting in a TOML part")
	}
}

// file refuses a file, each with the setting that it is made of.
func (c cloudConfig) file(item *syntax.Node, path string) {
	hint := hintFiles
	if name := item.Field("path"); name != nil {
		hint = fileHint(name.Text)
	}
	c.refuse(item.Pos, path, hint)
}

// user takes the keys of a user. Without a key it may be a bare name.
func (c cloudConfig) user(item *syntax.Node, path string) {
	if item.Kind == syntax.String {
		if item.Text != "default" {
			c.refuse(item.Pos, path, hintKeys)
		}
		return
	}
	c.members(item, path, map[string]handler{
		"name":                ignore,
		"ssh_authorized_keys": func(f syntax.Field, path string) { c.list(f.Value, path, c.key) },
		"ssh-authorized-keys": func(f syntax.Field, path string) { c.list(f.Value, path, c.key) },
	}, func(f syntax.Field, path string) { c.refuse(f.Pos, path, hintKeys) })
}

func (c cloudConfig) authorities(f syntax.Field, path string) {
	c.members(f.Value, path, map[string]handler{
		"trusted": func(f syntax.Field, path string) {
			c.list(f.Value, path, func(item *syntax.Node, path string) {
				if s, ok := c.text(item, path); ok {
					c.authority([]byte(s), item.Pos, path)
				}
			})
		},
		"remove_defaults": c.only(false, hintTrust),
		"remove-defaults": c.only(false, hintTrust),
	}, c.unknown)
}

func (c cloudConfig) ntp(f syntax.Field, path string) {
	servers := &syntax.Node{Kind: syntax.Array, Pos: f.Pos}
	take := func(f syntax.Field, path string) {
		c.list(f.Value, path, func(item *syntax.Node, _ string) { servers.Items = append(servers.Items, item) })
	}
	refuse := func(f syntax.Field, path string) {
		c.refuse(f.Pos, path, "set settings.ntp.time-servers and settings.ntp.options")
	}
	c.members(f.Value, path, map[string]handler{
		"servers": take, "pools": take, "enabled": c.only(true, "the clock is always synchronised"),
		"ntp_client": refuse, "config": refuse, "peers": refuse, "allow": refuse,
	}, c.unknown)
	if len(servers.Items) > 0 {
		c.set(servers, "ntp", "time-servers")
	}
}

// only returns the handler of a switch that has one position here.
func (c cloudConfig) only(position bool, hint string) handler {
	return func(f syntax.Field, path string) {
		on := slices.Contains([]string{"true", "yes", "on", "y"}, strings.ToLower(f.Value.Text))
		off := slices.Contains([]string{"false", "no", "off", "n"}, strings.ToLower(f.Value.Text))
		switch {
		case !on && !off:
			c.wrongType(f.Value, path, "true or false")
		case on != position:
			c.refuse(f.Pos, path, hint)
		}
	}
}
