package bootsettings

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/sources/internal/addon"
)

// A Parameter is one of the kernel or of init, with its values.
type Parameter struct {
	Name   string
	Values []string
}

// Settings are what the next boot adds to the command line.
type Settings struct {
	Reboot       bool     // once more where this boot does not have it
	Addons       []string // of the image, by name
	Kernel, Init []Parameter
}

// Parse reads the file that the settings are rendered to.
func Parse(data []byte) (Settings, error) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if err := rep.Err(); err != nil {
		return Settings{}, err
	}
	s := Settings{Kernel: parameters(root.Field("kernel")), Init: parameters(root.Field("init"))}
	if n := root.Field("reboot-to-reconcile"); n != nil {
		s.Reboot = n.Text == "true"
	}
	if n := root.Field("addons"); n != nil {
		s.Addons = texts(n)
	}
	return s, nil
}

func parameters(n *syntax.Node) []Parameter {
	if n == nil {
		return nil
	}
	var out []Parameter
	for _, f := range n.Fields {
		out = append(out, Parameter{f.Name, texts(f.Value)})
	}
	slices.SortFunc(out, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func texts(n *syntax.Node) []string {
	var out []string
	for _, i := range n.Items {
		out = append(out, i.Text)
	}
	return out
}

// A Node is what a plan depends on beside the settings.
type Node struct {
	Cmdline    string            // of this boot
	SecureBoot bool              // whether the firmware starts only what is signed
	Signed     map[string][]byte // the addons of the image, by name
	Installed  map[string][]byte // what is in the directory of addons, by name
	Stub       []byte            // of addons
	Tried      string            // the words that the node was rebooted for
	Booting    bool              // and may be rebooted for that
}

// A Plan is what is to be done.
type Plan struct {
	Write  map[string][]byte // to the directory of addons
	Remove []string          // from it
	Tried  string            // to be remembered
	Reboot bool
	Faults []report.Fault
}

// Names in the directory of addons. The stub takes them in order; what is for
// init has to come last.
const (
	ownPrefix    = "bulkhead-"
	imagePrefix  = ownPrefix + "10-"
	settingsName = ownPrefix + "90-settings" + addon.Suffix
)

// Word begins the word by which an addon shows on the command line: the kernel
// passes over words with a dot that it does not know.
const Word = "bulkhead.addon="

// Codes of what can be wrong.
const (
	codeRefused report.Code = "boot-settings-refused"
	codeReboot  report.Code = "reboot-needed"
	codeLoader  report.Code = "boot-settings-not-taken"
	codeFailed  report.Code = "boot-settings"
)

// MakePlan returns what makes the next boot of n what s says.
func MakePlan(s Settings, n Node) (Plan, error) {
	p := Plan{Write: map[string][]byte{}}
	want, words := p.fromImage(s, n)
	text := p.commandLine(s, n)
	if text != "" {
		data, err := addon.Build(n.Stub, text)
		if err != nil {
			return Plan{}, err
		}
		want[settingsName] = data
		words = append(words, strings.Fields(text)[0])
	}
	for name, data := range want {
		if !bytes.Equal(n.Installed[name], data) {
			p.Write[name] = data
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Installed)) {
		if strings.HasPrefix(name, ownPrefix) && want[name] == nil {
			p.Remove = append(p.Remove, name)
		}
	}
	p.reconcile(s, n, words)
	return p, nil
}

// fromImage returns the addons of the image that s names, and the words by which
// they show.
func (p *Plan) fromImage(s Settings, n Node) (map[string][]byte, []string) {
	out := map[string][]byte{}
	var words []string
	for _, name := range s.Addons {
		data, ok := n.Signed[name]
		if !ok {
			p.fault(codeRefused, "settings.boot.addons", fmt.Sprintf("the image has no addon %q", name), has(n))
			continue
		}
		out[imagePrefix+name+addon.Suffix] = data
		words = append(words, Word+name)
	}
	slices.Sort(words)
	return out, slices.Compact(words)
}

func has(n Node) string {
	if len(n.Signed) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(n.Signed)), ", ")
}

func (p *Plan) fault(code report.Code, path, detail, hint string) {
	p.Faults = append(p.Faults, report.Fault{Severity: report.Warning, Code: code, Path: path, Detail: detail, Hint: hint})
}

// longest is how much of the kernel's 2048 bytes settings may take: the rest is
// for the words of the image.
const longest = 1280

// commandLine returns the words that s adds, or "". The first names them.
func (p *Plan) commandLine(s Settings, n Node) string {
	if len(s.Kernel)+len(s.Init) == 0 {
		return ""
	}
	if n.SecureBoot {
		p.fault(codeRefused, "settings.boot", "Secure Boot is on: the firmware takes no parameters that were not signed when the image was made",
			"remove settings.boot.kernel and settings.boot.init, and choose by settings.boot.addons; "+has(n))
		return ""
	}
	text := strings.Join(p.words("settings.boot.kernel", s.Kernel), " ")
	if init := p.words("settings.boot.init", s.Init); len(init) > 0 {
		text += " -- " + strings.Join(init, " ")
	}
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	if len(text) > longest {
		p.fault(codeRefused, "settings.boot", fmt.Sprintf("the parameters have %d bytes together, and the command line has room for %d", len(text), longest), "remove some")
		return ""
	}
	return Word + "settings-" + digest(text) + " " + text
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// words returns parameters as words of the command line: one for each value.
func (p *Plan) words(path string, parameters []Parameter) []string {
	var out []string
	for _, x := range parameters {
		if len(x.Values) == 0 {
			out = append(out, x.Name)
		}
		for _, v := range x.Values {
			switch {
			case strings.Contains(v, `"`):
				p.fault(codeRefused, path+"."+x.Name, fmt.Sprintf("the value %q has a double quote, which the command line cannot carry", v), "set a value without")
			case strings.Contains(v, " "):
				out = append(out, x.Name+`="`+v+`"`)
			default:
				out = append(out, x.Name+"="+v)
			}
		}
	}
	return out
}

// reconcile compares the words that are wanted with those of this boot. The node
// is rebooted for the same words only once: where they do not arrive, something
// else than the node decides on the command line.
func (p *Plan) reconcile(s Settings, n Node, want []string) {
	var have []string
	for word := range strings.FieldsSeq(n.Cmdline) {
		if strings.HasPrefix(word, Word) {
			have = append(have, word)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if slices.Equal(slices.Compact(have), want) {
		return
	}
	goal := strings.Join(want, " ")
	if goal == "" {
		goal = "none"
	}
	p.Tried = n.Tried
	switch {
	case n.Tried == goal && n.Booting:
		p.fault(codeLoader, "settings.boot", "the node was rebooted for these settings, and the boot loader did not pass them on", "see how the node is booted: the parameters are in /loader/addons of the ESP")
	case s.Reboot && n.Booting:
		p.Tried, p.Reboot = goal, true
	default:
		p.Faults = append(p.Faults, report.Fault{
			Severity: report.Info, Code: codeReboot, Path: "settings.boot",
			Detail: "this boot does not have the parameters that the settings ask for", Hint: "apiclient reboot",
		})
	}
}
