package bootsettings

import (
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
	Stub       []byte            // of addons
	State      State
	Booting    bool // and may be rebooted
}

// A Plan is what the command line is to have in addition, and what follows from
// that now.
type Plan struct {
	Want   map[string][]byte // the addons for that, by the names of their files
	Goal   string            // the words by which they show on the command line, or none
	Have   string            // those of this boot
	Kept   bool              // the next boot is to be as this one: what is wanted did not come up
	State  State             // to be remembered
	Reboot bool
	Faults []report.Fault
}

// Names of addons. The stub takes them in order; what is for init has to come
// last.
const (
	ownPrefix    = "bulkhead-"
	imagePrefix  = ownPrefix + "10-"
	settingsName = ownPrefix + "90-settings" + addon.Suffix
)

// Word begins the word by which an addon shows on the command line: the kernel
// passes over words with a dot that it does not know.
const Word = "bulkhead.addon="

// none stands for a command line without such words.
const none = "none"

// Codes of what can be wrong.
const (
	codeRefused  report.Code = "boot-settings-refused"
	codeReboot   report.Code = "reboot-needed"
	codeLoader   report.Code = "boot-settings-not-taken"
	codeUnproven report.Code = "boot-settings-failed"
	codeFailed   report.Code = "boot-settings"
)

// MakePlan returns what makes the next boot of n what s says.
func MakePlan(s Settings, n Node) (Plan, error) {
	p := Plan{State: n.State, Have: onCmdline(n.Cmdline)}
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
	p.Want, p.Goal = want, joined(words)
	p.reconcile(s, n)
	return p, nil
}

// nothing reports whether there is nothing to do, and never was.
func (p Plan) nothing() bool { return p.Goal == none && p.Have == none && p.State == (State{}) }

// onCmdline returns the words of addons on a command line.
func onCmdline(line string) string {
	var words []string
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, Word) {
			words = append(words, word)
		}
	}
	return joined(words)
}

// joined returns words in one order, each once.
func joined(words []string) string {
	slices.Sort(words)
	if len(words) == 0 {
		return none
	}
	return strings.Join(slices.Compact(words), " ")
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
	return out, words
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
func (p *Plan) reconcile(s Settings, n Node) {
	if p.State.Failed != p.Goal {
		p.State.Failed = "" // something else is wanted by now
	}
	switch {
	case p.Have == p.Goal:
		p.State.Tried = ""
	case p.State.Failed == p.Goal:
		p.Kept = true
		p.fault(codeUnproven, "settings.boot", "a version of the system did not come up with these parameters, so that the node goes on without them",
			"see by boot-slot status which one and why, and set other parameters")
	case n.State.Tried == p.Goal && n.Booting:
		p.fault(codeLoader, "settings.boot", "the node was rebooted for these settings, and the boot loader did not pass them on",
			"see how the node is booted: the parameters are beside the boot program, in a directory that ends in "+extraSuffix)
	case s.Reboot && n.Booting:
		p.State.Tried, p.Reboot = p.Goal, true
	default:
		p.Faults = append(p.Faults, report.Fault{
			Severity: report.Info, Code: codeReboot, Path: "settings.boot",
			Detail: "this boot does not have the parameters that the settings ask for", Hint: "apiclient reboot",
		})
	}
}
