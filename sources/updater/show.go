package updater

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

func (o *options) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Print how updates stand", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			s, err := o.client().Status()
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), s)
		},
	}
	o.printing(cmd)
	return cmd
}

func (o *options) historyCommand() *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use: "history", Short: "Print what was done, the newest first", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			events, err := o.client().History(limit)
			if err != nil {
				return err
			}
			if o.output == "json" {
				return encode(cmd.OutOrStdout(), events)
			}
			for _, e := range events {
				how := "done"
				if !e.OK {
					how = "failed: " + e.Detail
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %-10s  %-12s  %s\n", e.Time.Format(time.RFC3339), e.Kind, e.Version, how)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "print at most `N` events")
	o.printing(cmd)
	return cmd
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// print prints a status.
func (o *options) print(w io.Writer, s updater.Status) error {
	if o.output == "json" {
		return encode(w, s)
	}
	fmt.Fprintf(w, "state: %s\n", s.State)
	if s.ActivePartition != nil {
		fmt.Fprintf(w, "running: %s\n", s.ActivePartition.Image.Version)
	}
	if s.ChosenUpdate != nil {
		fmt.Fprintf(w, "chosen: %s\n", s.ChosenUpdate.Version)
	}
	if s.StagingPartition != nil {
		fmt.Fprintf(w, "staged: %s\n", s.StagingPartition.Image.Version)
	}
	if s.Waiting != "" {
		fmt.Fprintf(w, "waiting: %s\n", s.Waiting)
	}
	if p := s.Progress; p != nil && p.Total > 0 {
		fmt.Fprintf(w, "bytes: %d patched, %d reused, %d fetched of %d; %d received\n", p.Patched, p.Reused, p.Fetched, p.Total, p.Received)
	}
	return nil
}
