package userdata

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// butaneMinors are the newest versions 1.x that are read, by variant.
var butaneMinors = map[string]int{"fcos": 7, "fiot": 0, "flatcar": 1, "r4e": 1}

// looksLikeButane reports whether text, which is not TOML, has the two keys
// that every Butane configuration has.
func looksLikeButane(text []byte) bool { return hasLine(text, "variant:") && hasLine(text, "version:") }

func (p *piece) butane() {
	p.format = Butane
	root := readYAML(p.text, &p.rep)
	if root == nil {
		return
	}
	i := ignition{translator: newTranslator("Butane", &p.rep), inline: true, seen: map[string]syntax.Pos{}, left: p.left}
	i.name = camel
	if !i.butaneVersion(root) {
		return
	}
	known := i.top()
	known["variant"], known["version"] = ignore, ignore
	for _, name := range []string{"bootDevice", "grub", "extensions", "openshift", "metadata"} {
		known[name] = i.refused(name)
	}
	inner := known["ignition"]
	known["ignition"] = func(f syntax.Field, path string) {
		if f.Value.Kind == syntax.Table && f.Value.Field("version") != nil {
			i.unknown(f, path+".version") // the version stands at the top
		}
		inner(f, path)
	}
	i.members(root, "", known, i.unknown)
	p.settings = i.finish()
}

// butaneVersion reports whether root names a variant and version that is read;
// else it says so.
func (i ignition) butaneVersion(root *syntax.Node) bool {
	if root.Kind != syntax.Table {
		i.wrongType(root, "", "a table")
		return false
	}
	var words [2]string
	for n, name := range []string{"variant", "version"} {
		v := root.Field(name)
		if v == nil {
			i.fault(report.MissingMember, root.Pos, name, "the "+name+" is missing", "want both variant and version, as in variant: flatcar")
			return false
		}
		text, ok := i.text(v, name)
		if !ok {
			return false
		}
		words[n] = text
	}
	most, ok := butaneMinors[words[0]]
	if !ok {
		v := root.Field("variant")
		i.fault(report.Unsupported, v.Pos, "variant", fmt.Sprintf("variant %q is not read here", shorten(words[0])),
			"want one of "+strings.Join(slices.Sorted(maps.Keys(butaneMinors)), ", "))
		return false
	}
	v := root.Field("version")
	m := semver.FindStringSubmatch(words[1])
	if m != nil && m[1] == "1" && m[3] == "0" && m[4] == "" {
		if minor, _ := strconv.Atoi(m[2]); minor <= most {
			return true
		}
	}
	i.fault(report.Unsupported, v.Pos, "version", fmt.Sprintf("version %q of %s is not read here", shorten(words[1]), words[0]), fmt.Sprintf("want 1.0.0 to 1.%d.0", most))
	return false
}

// camel returns the name in Ignition of a key of Butane: certificate_authorities
// is certificateAuthorities. A key that is no key of Butane stays none.
func camel(name string) string {
	if strings.ToLower(name) != name {
		return "no key: " + name
	}
	words := strings.Split(name, "_")
	for n, w := range words[1:] {
		if w != "" {
			words[n+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
