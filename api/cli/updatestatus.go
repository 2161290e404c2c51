package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
	"github.com/bulkhead-os/bulkhead/models/update"
)

func (p *program) updateCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look which versions there are",
		Long: `Have the node look for updates, and print how they stand: on a terminal in words, else
as JSON. Nothing is installed.`,
		Example: `  apiclient update check
  apiclient update check --ignore-waves -o json`,
	}
	u := p.newUpdating(cmd, 5*time.Minute)
	u.versionFlags(cmd)
	u.dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return u.within(cmd, func(r *run) error {
			if r.dryRun {
				return r.foresee(updater.Refresh)
			}
			s, err := r.do(updater.Refresh)
			if err != nil {
				return err
			}
			if p.output == "" && !isTerminal(cmd.OutOrStdout()) { // what other clients print
				return p.write(cmd, nodeOf(s), "json", "update")
			}
			return p.writeUpdateStatus(cmd, s)
		})
	}
	return cmd
}

func (p *program) updateStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how updates stand",
		Long: `Tell which versions the slots hold, what the next boot starts, which version is chosen
and why none newer, what the node does now or did last, and which versions have failed
on it.`,
		Example: `  apiclient update status
  apiclient update status -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.client(cmd).UpdateStatus(cmd.Context())
			if err != nil {
				return err
			}
			return p.writeUpdateStatus(cmd, s)
		},
	}
}

func (p *program) writeUpdateStatus(cmd *cobra.Command, s updater.Status) error {
	if p.output != "" && p.output != "table" {
		return p.write(cmd, nodeOf(s), "json", "update")
	}
	_, err := cmd.OutOrStdout().Write(updateText(s))
	return err
}

// updateText prints s for people.
func updateText(s updater.Status) []byte {
	var b bytes.Buffer
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	line("state", "%s", s.State)
	line("running", "%s", slotText(s.ActivePartition))
	line("other slot", "%s", slotText(s.StagingPartition))
	if s.ChosenUpdate != nil {
		line("update", "%s", s.ChosenUpdate.Version)
	} else {
		line("update", "none")
	}
	if s.Waiting != "" {
		line("waits", "%s", s.Waiting)
	}
	if !s.Checked.IsZero() {
		line("checked", "%s", timeText(&s.Checked))
	}
	if p := s.Progress; p != nil && p.Running && p.Action != "" {
		line("now", "%s", progressText(*p))
	}
	if c := s.LastCommand; c != nil {
		text := fmt.Sprintf("%s: %s, %s", c.Type, strings.ToLower(c.Status), timeText(&c.Timestamp))
		if why := c.Why(); why != "" && !c.OK() {
			text += ": " + why
		}
		line("last", "%s", text)
		if p := s.Progress; p != nil && !p.Running && sourcesText(*p) != "" {
			line("", "%s", sourcesText(*p))
		}
	}
	for _, v := range sortedVersions(s.Failed) {
		line("failed", "%s: %s", v, s.Failed[v])
	}
	return b.Bytes()
}

func slotText(p *updater.Partition) string {
	if p == nil {
		return "empty"
	}
	text := p.Image.Version
	if p.NextToBoot {
		text += ", starts at the next boot"
	}
	return text
}

// sortedVersions returns the keys of m, the oldest version first.
func sortedVersions(m map[string]string) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		va, errA := update.ParseVersion(a)
		vb, errB := update.ParseVersion(b)
		if errA != nil || errB != nil {
			return strings.Compare(a, b)
		}
		return va.Compare(vb)
	})
}

func (p *program) updateListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the versions that there are",
		Long: `List the versions that the last look for updates has found, the newest first, and those in
the slots: version, and what is special about it.`,
		Example: `  apiclient update check && apiclient update list
  apiclient update list -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.client(cmd).UpdateStatus(cmd.Context())
			if err != nil {
				return err
			}
			list := listedVersions(s)
			r := rows{head: []string{"VERSION", "STATE"}}
			for _, v := range list {
				r.cells = append(r.cells, []string{visible(v.Version), visible(strings.Join(v.State, ", "))})
			}
			return p.list(cmd, orEmpty(list), "versions", r)
		},
	}
}

// A listedVersion is a version and what is special about it.
type listedVersion struct {
	Version string   `json:"version"`
	State   []string `json:"state"`
}

func listedVersions(s updater.Status) []listedVersion {
	versions := slices.Clone(s.AvailableUpdates)
	for _, slot := range []*updater.Partition{s.StagingPartition, s.ActivePartition} {
		if slot != nil && !slices.Contains(versions, slot.Image.Version) {
			versions = append(versions, slot.Image.Version)
		}
	}
	is := func(slot *updater.Partition, v string) bool { return slot != nil && slot.Image.Version == v }
	out := make([]listedVersion, len(versions))
	for i, v := range versions {
		state := []string{}
		if is(s.ActivePartition, v) {
			state = append(state, "running")
		}
		if s.ChosenUpdate != nil && s.ChosenUpdate.Version == v {
			state = append(state, "update")
		}
		if is(s.StagingPartition, v) {
			state = append(state, "in the other slot")
		}
		if is(s.StagingPartition, v) && s.StagingPartition.NextToBoot || is(s.ActivePartition, v) && s.ActivePartition.NextToBoot {
			state = append(state, "next")
		}
		if why, failed := s.Failed[v]; failed {
			state = append(state, "failed: "+why)
		}
		out[i] = listedVersion{v, state}
	}
	return out
}

func (p *program) updateHistoryCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List what was done about updates",
		Long: `List what was done about updates, and what became of versions, newest first: time, what,
version, the version that ran, who, result, and why.`,
		Example: `  apiclient update history
  apiclient update history -n 0 -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usage("--limit %d: want 0 for all, or more", limit)
			}
			list, err := p.client(cmd).UpdateHistory(cmd.Context(), limit)
			if err != nil {
				return err
			}
			return p.list(cmd, orEmpty(list), "events", historyRows(list))
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most `N` lines; 0 for all")
	return cmd
}

func historyRows(list []updater.Event) rows {
	r := rows{head: []string{"TIME", "WHAT", "VERSION", "FROM", "ACTOR", "RESULT", "WHY"}}
	for _, e := range list {
		result := "ok"
		if !e.OK {
			result = "failed"
		}
		cells := []string{timeText(&e.Time), e.Kind, e.Version, e.From, e.Actor, result, e.Detail}
		for i := range cells {
			cells[i] = visible(cells[i])
		}
		r.cells = append(r.cells, cells)
	}
	return r
}
