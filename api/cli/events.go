package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
)

func (p *program) eventsCommand() *cobra.Command {
	var r client.EventsRequest
	var count int
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Print events of the settings as they happen",
		Long: `Print a line for every event: time, kind, generation, who, and the settings it
is about. It goes on until it is interrupted; when the API restarts it connects
again. With -o json every line is a JSON object.

With --all, the events that the API remembers come first, from its start on. An
event called reset says that some may have been missed.`,
		Example: `  apiclient events
  apiclient events --all
  apiclient events --kinds commit,revert -o json`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.All && r.After != "" {
				return usage("--all and --after exclude each other")
			}
			return p.follow(cmd, r, count, &eventPrinter{p, cmd.OutOrStdout(), r.All})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.Kinds, "kinds", nil, "only events of these `KINDS`, separated by commas")
	f.BoolVar(&r.All, "all", false, "begin with the oldest event that the API remembers")
	f.StringVar(&r.After, "after", "", "begin after the event called `ID`, as far as the API remembers")
	countFlag(cmd, &count)
	return cmd
}

func countFlag(cmd *cobra.Command, count *int) {
	cmd.Flags().IntVarP(count, "count", "n", 0, "end after `N` lines; 0 for never")
}

// streaming refuses the forms that cannot be printed line by line.
func (p *program) streaming() error {
	if p.output != "" && p.output != "json" {
		return usage("--output %s: this command prints lines as they come, want json or nothing", p.output)
	}
	return nil
}

// A follower prints what events mean.
type follower interface {
	start() error // called when no later event can be missed
	show(e client.Event) (lines int, err error)
}

// follow hands events to f until it has printed most lines; 0 means no end.
// Being interrupted is the ordinary end and no error.
func (p *program) follow(cmd *cobra.Command, r client.EventsRequest, most int, f follower) error {
	if err := p.streaming(); err != nil {
		return err
	}
	if most < 0 {
		return usage("--count %d: want 0 or more", most)
	}
	err := p.feed(cmd, r, most, f)
	if cmd.Context().Err() != nil {
		return nil
	}
	return err
}

func (p *program) feed(cmd *cobra.Command, r client.EventsRequest, most int, f follower) error {
	ctx := cmd.Context()
	stream, err := p.client(cmd).Events(ctx, r)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := f.start(); err != nil {
		return err
	}
	for printed := 0; most == 0 || printed < most; {
		e, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		n, err := f.show(e)
		if err != nil {
			return err
		}
		printed += n
	}
	return nil
}

// An eventPrinter prints each event on one line.
type eventPrinter struct {
	p   *program
	out io.Writer

	skip bool // the first event, a reset that was asked for
}

func (*eventPrinter) start() error { return nil }

func (f *eventPrinter) show(e client.Event) (int, error) {
	asked := f.skip && e.Kind == client.Reset
	f.skip = false
	if asked {
		return 0, nil
	}
	if f.p.output == "json" {
		_, err := fmt.Fprintf(f.out, "%s\n", document.NodeJSON(nil, nodeOf(e)))
		return 1, err
	}
	cells := []string{timeText(&e.Time), e.Kind, generationText(e.Generation), e.Actor.Name, strings.Join(e.Keys, ","), e.Message}
	_, err := fmt.Fprintln(f.out, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	return 1, err
}
