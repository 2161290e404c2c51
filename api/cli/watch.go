package cli

import (
	"fmt"
	"io"
	"slices"
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
			return p.follow(cmd, client.EventsRequest{}, count, w.show)
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

	known *document.Document // what was last read
}

// show prints what e changed and returns the number of lines. What is read may
// already hold the changes of later events; nothing is printed twice.
func (w *watcher) show(e client.Event) (int, error) {
	before, err := w.before(e)
	if err != nil {
		return 0, err
	}
	got, err := w.api.Settings(w.cmd.Context(), client.Query{Keys: w.keys})
	if err != nil {
		return 0, err
	}
	w.known = &got.Document
	changes := document.Diff(before, got.Document)
	changes = append(changes, w.hidden(e, before, got.Document)...)
	slices.SortStableFunc(changes, func(a, b document.Change) int { return a.Key.Compare(b.Key) })
	for _, c := range changes {
		if err := w.write(w.cmd.OutOrStdout(), e, c); err != nil {
			return 0, err
		}
	}
	return len(changes), nil
}
