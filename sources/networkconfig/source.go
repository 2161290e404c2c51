package networkconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/nettoml"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/models/settings/network"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Places of a node where its network may be described; the first that is there
// counts.
const (
	settingsFile = "/etc/network-config.toml"
	privateFile  = "/var/lib/bulkhead/net.toml"
	cmdlineFile  = "/proc/cmdline"
)

// Find returns the network described below root. Without any, there is none and
// found is false. A description that cannot be used is an error, and the next
// place is not asked: it would be another network than the one that was meant.
func Find(root *os.Root) (c Config, found bool, err error) {
	for _, place := range []string{settingsFile, privateFile} {
		data, err := root.ReadFile(place[1:])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return Config{}, false, err
		}
		c, err := Parse(data, place)
		if err != nil {
			return Config{}, false, err
		}
		// The settings may have no interfaces; a net.toml without any is a node
		// without a network.
		if place == privateFile || len(c.Interfaces) > 0 {
			return c, true, nil
		}
	}
	line, err := root.ReadFile(cmdlineFile[1:])
	if err != nil {
		return Config{}, false, err
	}
	c, found, err = fromCommandLine(string(line))
	if err != nil {
		return Config{}, false, fmt.Errorf("kernel command line: %w", err)
	}
	return c, found, nil
}

// Parse reads data, the text of a net.toml or of settings, that was found at
// source.
func Parse(data []byte, source string) (Config, error) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	var n *syntax.Node
	switch {
	case root == nil:
	case nettoml.Is(root):
		var more report.Report
		n, more = nettoml.Convert(root)
		rep.Merge(more)
	default:
		n = inner(root)
	}
	c := Config{Source: source}
	if n != nil {
		rep.Merge(decode(n, &c.Settings))
	}
	for i := range rep.Faults {
		rep.Faults[i].Source = source
	}
	rep.Sort()
	return c, refusal(rep)
}

// inner unwraps the outer table of settings.
func inner(root *syntax.Node) *syntax.Node {
	if s := root.Field("settings"); s != nil && len(root.Fields) == 1 {
		return s
	}
	return root
}

// decode reads out of n, the content of "settings", the group network.
func decode(n *syntax.Node, out *network.Settings) report.Report {
	s := schema.For(reflect.TypeFor[settings.Settings](), "", []string{"network"})
	in := s.Decode(n, schema.Options{})
	rep := in.Report
	if rep.HasErrors() {
		return rep // what is left of the settings would only be missing something
	}
	doc := document.Document{}.Apply(in.Patch)
	check := s.Check(doc)
	schema.Locate(&check, in.Positions)
	rep.Merge(check)
	var all settings.Settings
	rep.Merge(s.Bind(doc, &all))
	if all.Network != nil {
		*out = *all.Network
	}
	return rep
}

// A Refused is a description of a network with all that is wrong with it.
type Refused struct{ Report report.Report }

// Error gives all faults, a line each.
func (r *Refused) Error() string {
	lines := make([]string, 0, len(r.Report.Faults))
	for _, f := range r.Report.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func refusal(rep report.Report) error {
	if !rep.HasErrors() {
		return nil
	}
	return &Refused{rep}
}

// parameter is how the kernel command line describes an interface.
const parameter = "netdog.default-interface"

// fromCommandLine reads netdog.default-interface=NAME:OPTION,…
func fromCommandLine(line string) (Config, bool, error) {
	var values []string
	for word := range strings.FieldsSeq(line) {
		if word == "--" {
			break
		}
		if v, ok := strings.CutPrefix(word, parameter+"="); ok {
			values = append(values, strings.Trim(v, `"`))
		}
	}
	switch len(values) {
	case 0:
		return Config{}, false, nil
	case 1:
	default:
		return Config{}, false, fmt.Errorf("%s is given %d times, want once", parameter, len(values))
	}
	i, name, err := parseDefault(values[0])
	if err != nil {
		return Config{}, false, fmt.Errorf("%s=%s: %w", parameter, values[0], err)
	}
	c := Config{Source: "the kernel command line", Legacy: true}
	c.Interfaces = map[network.InterfaceName]network.Interface{name: i}
	return c, true, nil
}

func parseDefault(v string) (i network.Interface, name network.InterfaceName, err error) {
	first, options, ok := strings.Cut(v, ":")
	if name, err = network.ParseInterfaceName(first); err != nil {
		return i, name, err
	}
	if !ok || options == "" {
		return i, name, errors.New("there are no options, want NAME:dhcp4, NAME:dhcp6 or NAME:dhcp4,dhcp6")
	}
	var seen []string
	for option := range strings.SplitSeq(options, ",") {
		word, optional := strings.CutSuffix(option, "?")
		if slices.Contains(seen, word) {
			return i, name, fmt.Errorf("%s is given twice", word)
		}
		seen = append(seen, word)
		switch word {
		case "dhcp4":
			i.DHCP4 = &network.DHCP4{Enabled: new(true), Optional: &optional}
		case "dhcp6":
			i.DHCP6 = &network.DHCP6{Enabled: new(true), Optional: &optional}
		default:
			return i, name, fmt.Errorf("there is no option %q, want dhcp4 or dhcp6, each with or without ? behind it", option)
		}
	}
	return i, name, nil
}
