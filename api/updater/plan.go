package updater

import (
	"fmt"
	"strings"
)

// A Plan is what an action would do: the answer to a Request with DryRun.
type Plan struct {
	Action  Action `json:"action"`
	Running string `json:"running"`           // the version
	Version string `json:"version,omitempty"` // that the action leads to; none where there is nothing to do
	Waiting string `json:"waiting,omitempty"` // why it is not the newest, or why there is none
	// From are the addresses that files are fetched from, in the order in which they
	// are asked, or the bundle.
	From  []string `json:"from,omitempty"`
	Fetch []Fetch  `json:"fetch,omitempty"`
	Steps []string `json:"steps"` // changes of the node, in words
}

// A Fetch is a file that an action would need, or some of it.
type Fetch struct {
	For    string `json:"for"`    // migrations, tree, boot-program, root
	Target string `json:"target"` // name in the repository
	Bytes  int64  `json:"bytes"`
	// AtMost says that blocks which the node has already are not fetched: how many
	// that are shows only when its hash tree is there.
	AtMost bool `json:"at_most,omitempty"`
}

// String returns p in words, as lines.
func (p *Plan) String() string {
	var b strings.Builder
	lines := func(name string, texts []string) {
		for _, text := range texts {
			fmt.Fprintf(&b, "%-9s %s\n", name, text)
			name = ""
		}
	}
	lines("running", []string{p.Running})
	if p.Version != "" {
		lines("version", []string{p.Version})
	}
	if p.Waiting != "" {
		lines("waits", []string{p.Waiting})
	}
	lines("from", p.From)
	var fetch []string
	for _, f := range p.Fetch {
		most := ""
		if f.AtMost {
			most = "at most "
		}
		fetch = append(fetch, fmt.Sprintf("%s: %s%d bytes, %s", f.For, most, f.Bytes, f.Target))
	}
	lines("fetch", fetch)
	steps := p.Steps
	if len(steps) == 0 {
		steps = []string{"nothing"}
	}
	lines("would do", steps)
	return b.String()
}
