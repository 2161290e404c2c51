package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/client"
	hostplan "github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// writeChanges prints changes as lines that begin with - for what goes and +
// for what comes.
func (p *program) writeChanges(cmd *cobra.Command, changes []document.Change) error {
	if p.output == "table" {
		r := rows{head: []string{"KEY", "OLD", "NEW"}}
		for _, c := range changes {
			r.cells = append(r.cells, []string{c.Key.String(), valueText(c.Old), valueText(c.New)})
		}
		return p.writeRows(cmd, r)
	}
	paint := p.painter(cmd)
	line := func(c colour, sign string, ch document.Change, v *document.Value) error {
		if v == nil {
			return nil
		}
		text := fmt.Sprintf("%s %s = %s", sign, ch.Key, valueText(v))
		if isTerminal(cmd.OutOrStdout()) {
			text = shorten(text, 300)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), paint(c, text))
		return err
	}
	for _, c := range changes {
		if err := line(red, "-", c, c.Old); err != nil {
			return err
		}
		if err := line(green, "+", c, c.New); err != nil {
			return err
		}
	}
	return nil
}

// valueText is empty for what is not set.
func valueText(v *document.Value) string {
	if v == nil {
		return ""
	}
	return v.JSON()
}

// writePlan prints what a plan would change, and its faults. A plan that the
// API would refuse to commit is an error.
func (p *program) writePlan(cmd *cobra.Command, plan client.Plan) error {
	rep := report.Report{Faults: plan.Faults}
	if err := p.writeDifference(cmd, planData(plan), plan.Changes); err != nil {
		return err
	}
	if err := p.writeHost(cmd, plan.Host); err != nil {
		return err
	}
	if err := rep.Err(); err != nil {
		return err
	}
	writeFaults(cmd.ErrOrStderr(), plan.Faults)
	if len(plan.Changes) == 0 && (plan.Host == nil || hostPlan(plan.Host).IsEmpty()) {
		p.remark(cmd, "nothing would change")
	}
	return nil
}

// hostPlan returns what an apply would do, without what is shown elsewhere.
func hostPlan(h *applier.Plan) *hostplan.Plan {
	return &hostplan.Plan{Files: h.Files, DaemonReload: h.DaemonReload, Actions: h.Actions, Units: h.Units}
}

// writeHost prints for people what an apply would do, below the settings.
func (p *program) writeHost(cmd *cobra.Command, h *applier.Plan) error {
	if h == nil || p.output != "" || hostPlan(h).IsEmpty() {
		return nil
	}
	var b bytes.Buffer
	if err := hostPlan(h).WriteText(&b); err != nil {
		return err
	}
	paint := p.painter(cmd)
	for line := range strings.Lines(b.String()) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "    +"):
			text = paint(green, text)
		case strings.HasPrefix(text, "    -"):
			text = paint(red, text)
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), text); err != nil {
			return err
		}
	}
	return nil
}

// planData is a plan as -o json prints it.
func planData(plan client.Plan) any {
	type settings struct {
		Generation uint64            `json:"generation"`
		Changes    []document.Change `json:"changes"`
		Faults     []report.Fault    `json:"faults"`
	}
	s := settings{plan.Generation, orEmpty(plan.Changes), orEmpty(plan.Faults)}
	if plan.Host == nil {
		return s
	}
	h := plan.Host
	return struct {
		settings
		Files        []hostplan.FileChange `json:"files"`
		DaemonReload bool                  `json:"daemon_reload"`
		Actions      []hostplan.Action     `json:"actions"`
		Units        []hostplan.UnitAction `json:"units"`
	}{s, orEmpty(h.Files), h.DaemonReload, orEmpty(h.Actions), orEmpty(h.Units)}
}

// orEmpty makes an empty list of none: a program reading JSON expects a list.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeDifference prints changes for people, or data where -o asks for it.
func (p *program) writeDifference(cmd *cobra.Command, data any, changes []document.Change) error {
	if p.output == "" || p.output == "table" {
		return p.writeChanges(cmd, changes)
	}
	return p.write(cmd, nodeOf(data), "json", "changes")
}
