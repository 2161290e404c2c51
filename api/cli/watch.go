package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func (p *program) watchCommand() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "watch [KEY...]",
		Short: "Print settings as they change",
		Long: `Print a line whenever one of the settings at or below the KEYs has another value
than before, whatever changed it. Without KEYs all settings are watched. It goes
on until it is interrupted. With -o json every line is a JSON object with the
old and the new value; null stands for "not set".`,
		Example: `  apiclient watch motd kubernetes.node-labels
  apiclient watch -o json`,
		ValidArgsFunction: p.completeKeys(""),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := parseKeys(args)
			if err != nil {
				return err
			}
			w := &watcher{p: p, cmd: cmd, api: p.client(cmd), keys: keys}
			return p.follow(cmd, client.EventsRequest{}, count, w)
		},
	}
	countFlag(cmd, &count)
	return cmd
}

// A watcher compares settings before and after events.
type watcher struct {
	p    *program
	cmd  *cobra.Command
	api  *client.Client
	keys []key.Key // watched; none means all

	known document.Document // what was last read
}

// read returns the watched settings as they are.
func (w *watcher) read() (document.Document, error) {
	got, err := w.api.Settings(w.cmd.Context(), client.Query{Keys: w.keys})
	return got.Document, err
}

// start reads what later events change. The stream is open by then, so that
// nothing happens unseen in between.
func (w *watcher) start() (err error) {
	w.known, err = w.read()
	return err
}

// show prints what e changed and returns the number of lines. What is read may
// already hold the changes of later events; nothing is printed twice.
func (w *watcher) show(e client.Event) (int, error) {
	now, err := w.read()
	if err != nil {
		return 0, err
	}
	changes := append(document.Diff(w.known, now), w.hidden(e, now)...)
	slices.SortStableFunc(changes, func(a, b document.Change) int { return a.Key.Compare(b.Key) })
	w.known = now
	for _, c := range changes {
		if err := w.write(w.cmd.OutOrStdout(), e, c); err != nil {
			return 0, err
		}
	}
	return len(changes), nil
}

// hidden returns the secrets that e mentions: their values look the same
// before and after.
func (w *watcher) hidden(e client.Event, now document.Document) []document.Change {
	var out []document.Change
	for _, name := range e.Keys {
		k, err := key.Parse(name)
		if err != nil {
			continue
		}
		before, set := w.known.Get(k)
		after, stays := now.Get(k)
		if set && stays && before == after && strings.Contains(after.JSON(), scalar.Redacted) {
			out = append(out, document.Change{Key: k, Old: &before, New: &after})
		}
	}
	return out
}

func (w *watcher) write(out io.Writer, e client.Event, c document.Change) error {
	if w.p.output == "json" {
		line := nodeOf(struct {
			Time       time.Time `json:"time"`
			Kind       string    `json:"kind"`
			Generation uint64    `json:"generation,omitempty"`
			document.Change
		}{e.Time, e.Kind, e.Generation, c})
		_, err := fmt.Fprintf(out, "%s\n", document.NodeJSON(nil, line))
		return err
	}
	what := " unset"
	if c.New != nil {
		what = " = " + c.New.JSON()
	}
	_, err := fmt.Fprintf(out, "%s\t%s\t%s%s\n", timeText(&e.Time), generationText(e.Generation), c.Key, what)
	return err
}
