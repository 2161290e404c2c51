package kernelsettings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/kernel"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// Settings are what is to be set. What is empty is left as it is.
type Settings struct {
	Lockdown        string
	Enabled, Defrag string // of transparent huge pages
	Essential       bool   // of the huge pages below
	Pages           map[kernel.HugepageSize]kernel.HugepageAllocation
}

// Parse reads the file that the settings are rendered to.
func Parse(data []byte) (Settings, error) {
	root, rep := syntax.TOML(data, syntax.DefaultLimits)
	if err := rep.Err(); err != nil {
		return Settings{}, err
	}
	s := Settings{Pages: map[kernel.HugepageSize]kernel.HugepageAllocation{}}
	s.Lockdown = text(root, "lockdown")
	transparent, static := root.Field("transparent-hugepages"), root.Field("static-hugepages")
	s.Enabled, s.Defrag = text(transparent, "enabled"), text(transparent, "defrag")
	s.Essential = text(static, "essential") == "true"
	if static == nil || static.Field("counts") == nil {
		return s, nil
	}
	for _, f := range static.Field("counts").Fields {
		size, err := kernel.ParseHugepageSize(f.Name)
		if err != nil {
			return Settings{}, err
		}
		if s.Pages[size], err = kernel.ParseHugepageAllocation(f.Value.Text); err != nil {
			return Settings{}, err
		}
	}
	return s, nil
}

func text(n *syntax.Node, name string) string {
	if n == nil || n.Field(name) == nil {
		return ""
	}
	return n.Field(name).Text
}

// A Step is a value to write, or a note that there is nothing to do.
type Step struct {
	Note      string
	Setting   string // that asks for it
	File      string // below the root
	Value     string
	Choice    bool   // the file shows all values, the current one in brackets
	Essential bool   // it is a failure when the value is not what it should be
	Hint      string // for when it is not
}

// Files of the kernel.
const (
	lockdownFile    = "sys/kernel/security/lockdown"
	transparentDir  = "sys/kernel/mm/transparent_hugepage"
	hugepagesDir    = "sys/kernel/mm/hugepages"
	nodesDir        = "sys/devices/system/node"
	settingLockdown = "settings.kernel.lockdown"
	settingPages    = "settings.kernel.hugepages"
)

// Plan returns the steps to s, of a kernel whose files are read by read.
func Plan(s Settings, read func(file string) (string, error)) []Step {
	var steps []Step
	if s.Lockdown != "" {
		steps = append(steps, planLockdown(s.Lockdown, read)...)
	}
	for _, t := range [][2]string{{"enabled", s.Enabled}, {"defrag", s.Defrag}} {
		name, value := t[0], t[1]
		file := transparentDir + "/" + name
		current, _ := read(file)
		if value == "" || chosen(current) == value {
			continue
		}
		steps = append(steps, Step{
			Setting: settingPages + ".transparent." + name, File: file, Value: value, Choice: true,
			Hint: "see whether the kernel has transparent huge pages",
		})
	}
	for _, size := range slices.SortedFunc(maps.Keys(s.Pages), kernel.HugepageSize.Compare) {
		steps = append(steps, planPages(size, s.Pages[size], s.Essential, read)...)
	}
	return steps
}

// modes of lockdown, from the weakest on.
var modes = []string{"none", "integrity", "confidentiality"}

func planLockdown(want string, read func(string) (string, error)) []Step {
	current, err := read(lockdownFile)
	have := chosen(current)
	switch {
	case err == nil && have == want:
		return nil
	case err == nil && slices.Index(modes, have) > slices.Index(modes, want):
		return []Step{{Note: fmt.Sprintf("lockdown stays at %s: the kernel never lowers it, and the image asks for it at boot", have)}}
	}
	return []Step{{
		Setting: settingLockdown, File: lockdownFile, Value: want, Choice: true, Essential: true,
		Hint: "see whether the kernel has lockdown, or set " + settingLockdown + " to none",
	}}
}

func planPages(size kernel.HugepageSize, count kernel.HugepageAllocation, essential bool, read func(string) (string, error)) []Step {
	name := fmt.Sprintf("hugepages-%dkB/nr_hugepages", size.Bytes()>>10)
	step := Step{
		Setting: settingPages + ".static." + size.String(), Essential: essential,
		Hint: "ask for fewer pages, or reboot: memory is in fewer pieces then",
	}
	var steps []Step
	add := func(file string, pages uint64) {
		value := strconv.FormatUint(pages, 10)
		if current, err := read(file); err == nil && strings.TrimSpace(current) == value {
			return
		}
		s := step
		s.File, s.Value = file, value
		steps = append(steps, s)
	}
	if pages, ok := count.Total(); ok {
		add(hugepagesDir+"/"+name, pages)
		return steps
	}
	for _, n := range count.Nodes() {
		add(fmt.Sprintf("%s/node%d/hugepages/%s", nodesDir, n.Node, name), n.Pages)
	}
	return steps
}

// chosen returns the word in brackets, or all of text where there is none.
func chosen(text string) string {
	if _, rest, ok := strings.Cut(text, "["); ok {
		word, _, _ := strings.Cut(rest, "]")
		return word
	}
	return strings.TrimSpace(text)
}

func (s Step) code() report.Code {
	if s.File == lockdownFile {
		return "lockdown"
	}
	return "huge-pages"
}
