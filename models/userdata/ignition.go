package userdata

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// ignitionMinor is the newest version of Ignition's format 3 that is read.
const ignitionMinor = 6

// An ignition reads the part of Ignition, or of Butane, that settings stand
// for: the host's name as the file /etc/hostname, SSH keys of users, and
// certificate authorities.
type ignition struct {
	*translator
	inline bool // texts may stand in the document, as in Butane
	seen   map[string]syntax.Pos
	left   *int // bytes that packed texts may still have
}

func (p *piece) ignition(root *syntax.Node) {
	i := ignition{translator: newTranslator("Ignition", &p.rep), seen: map[string]syntax.Pos{}, left: p.left}
	if !i.version(root.Field("ignition")) {
		return
	}
	i.members(root, "", i.top(), i.unknown)
	p.settings = i.finish()
}

var semver = regexp.MustCompile(`^(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})(-.*)?$`)

// version reports whether n, the section ignition, names a version that is
// read; else it says so.
func (i ignition) version(n *syntax.Node) bool {
	const path = "ignition.version"
	hint := fmt.Sprintf("want 3.0.0 to 3.%d.0", ignitionMinor)
	if n.Kind != syntax.Table {
		i.wrongType(n, "ignition", "a table")
		return false
	}
	v := n.Field("version")
	if v == nil {
		i.fault(report.MissingMember, n.Pos, path, "the version is missing", hint)
		return false
	}
	text, ok := i.text(v, path)
	if !ok {
		return false
	}
	m := semver.FindStringSubmatch(text)
	if m == nil {
		i.fault(report.InvalidValue, v.Pos, path, fmt.Sprintf("version %q is not of the form 3.4.0", shorten(text)), hint)
		return false
	}
	minor, _ := strconv.Atoi(m[2])
	if m[1] != "3" || minor > ignitionMinor || m[3] != "0" || m[4] != "" {
		i.fault(report.Unsupported, v.Pos, path, fmt.Sprintf("version %s is not read here", shorten(text)), hint)
		return false
	}
	return true
}

func (i ignition) top() map[string]handler {
	return map[string]handler{
		"ignition": func(f syntax.Field, path string) {
			i.members(f.Value, path, map[string]handler{
				"version": ignore, "timeouts": ignore, // nothing is fetched
				"config": i.refused("ignition.config"), "proxy": i.refused("ignition.proxy"), "security": i.security,
			}, i.unknown)
		},
		"passwd": func(f syntax.Field, path string) {
			i.members(f.Value, path, map[string]handler{"users": i.each(i.user), "groups": i.refused("passwd.groups")}, i.unknown)
		},
		"storage": func(f syntax.Field, path string) {
			known := map[string]handler{"files": i.each(i.file)}
			for _, name := range []string{"directories", "links", "trees", "disks", "raid", "filesystems", "luks"} {
				known[name] = i.refused("storage." + name)
			}
			i.members(f.Value, path, known, i.unknown)
		},
		"systemd": func(f syntax.Field, path string) {
			i.members(f.Value, path, map[string]handler{"units": i.refused("systemd.units"), "quadlets": i.refused("systemd.quadlets")}, i.unknown)
		},
		"kernelArguments": i.refused("kernelArguments"),
	}
}

// refused returns the handler that refuses what hints calls name, every item of
// it where it is a list.
func (i ignition) refused(name string) handler {
	return func(f syntax.Field, path string) {
		switch {
		case f.Value.Kind == syntax.Array:
			i.list(f.Value, path, func(item *syntax.Node, path string) { i.refuse(item.Pos, path, ignitionHints[name]) })
		case f.Value.Kind == syntax.Table && len(f.Value.Fields) == 0: // nothing is asked for
		default:
			i.refuse(f.Pos, path, ignitionHints[name])
		}
	}
}

// each returns the handler of a list of tables.
func (i ignition) each(read func(item *syntax.Node, path string)) handler {
	return func(f syntax.Field, path string) { i.list(f.Value, path, read) }
}

// once reports whether kind and name come for the first time.
func (i ignition) once(n *syntax.Node, path, kind, name string) bool {
	first, twice := i.seen[kind+" "+name]
	if twice {
		i.fault(report.DuplicateKey, n.Pos, path, fmt.Sprintf("%s %q is given twice", kind, shorten(name)),
			fmt.Sprintf("it stands first in line %d, column %d", first.Line, first.Column))
		return false
	}
	i.seen[kind+" "+name] = n.Pos
	return true
}

// user takes the SSH keys of a user.
func (i ignition) user(item *syntax.Node, path string) {
	refuse := func(f syntax.Field, path string) {
		if f.Value.Kind != syntax.Null {
			i.refuse(f.Pos, path, hintKeys)
		}
	}
	// Like the original, a name is not asked for.
	if item.Kind == syntax.Table && item.Field("name") != nil && !i.named(item, path, "name", "user") {
		return
	}
	i.members(item, path, map[string]handler{"name": ignore, "sshAuthorizedKeys": i.each(i.key)}, refuse)
}

// named reports whether item has a name, by the member called key, that no
// other item of its kind has.
func (i ignition) named(item *syntax.Node, path, key, kind string) bool {
	n := item.Field(key)
	if n == nil {
		i.fault(report.MissingMember, item.Pos, path+"."+key, fmt.Sprintf("the %s has no %s", kind, key), "")
		return false
	}
	name, ok := i.text(n, path+"."+key)
	if ok && name == "" {
		i.fault(report.InvalidValue, n.Pos, path+"."+key, fmt.Sprintf("the %s of the %s is empty", key, kind), "")
		return false
	}
	return ok && i.once(n, path+"."+key, kind, name)
}

// file takes the host's name from its file.
func (i ignition) file(item *syntax.Node, path string) {
	if item.Kind != syntax.Table {
		i.wrongType(item, path, "a table")
		return
	}
	if !i.named(item, path, "path", "file") {
		return
	}
	name := item.Field("path")
	switch {
	case !strings.HasPrefix(name.Text, "/"):
		i.fault(report.InvalidValue, name.Pos, path+".path", fmt.Sprintf("path %q is not absolute", shorten(name.Text)), "want one that begins with /")
	case name.Text != "/etc/hostname":
		i.refuse(item.Pos, path, fileHint(name.Text))
	default:
		i.hostname(item, path)
	}
}

func (i ignition) hostname(item *syntax.Node, path string) {
	i.members(item, path, map[string]handler{
		"path": ignore, "mode": ignore, "overwrite": ignore, "user": ignore, "group": ignore,
		"append": func(f syntax.Field, path string) {
			if len(f.Value.Items) > 0 {
				i.refuse(f.Pos, path, "give the host's name as contents")
			}
		},
		"contents": func(f syntax.Field, path string) {
			text, at, ok := i.resource(f, path)
			switch {
			case !ok:
			case !utf8.Valid(text):
				i.fault(report.InvalidValue, at, path, "the host's name is not UTF-8", "")
			default:
				v := syntax.NewString(string(bytes.TrimSpace(text)))
				v.Pos = at
				i.set(v, "network", "hostname")
			}
		},
	}, i.unknown)
}

// security takes certificate authorities.
func (i ignition) security(f syntax.Field, path string) {
	i.members(f.Value, path, map[string]handler{
		"tls": func(f syntax.Field, path string) {
			i.members(f.Value, path, map[string]handler{
				"certificateAuthorities": i.each(func(item *syntax.Node, path string) {
					text, at, ok := i.resource(syntax.Field{Pos: item.Pos, Value: item}, path)
					if ok {
						i.authority(text, at, path)
					}
				}),
			}, i.unknown)
		},
	}, i.unknown)
}
