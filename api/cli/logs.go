package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
)

func (p *program) logsCommand() *cobra.Command {
	var r client.LogsRequest
	cmd := &cobra.Command{
		Use:   "logs [UNIT]",
		Short: "Print the journal of the node",
		Long: `Print lines of the journal: time, program, and message. Without options
these are all lines since the node was started. With -f it goes on with lines as
they come until it is interrupted, starting with the last 10; when the node goes
away, for a reboot too, it connects again and goes on behind the last line. With
-o json every line is a JSON object.

--boot 0 stands for this boot, --boot=-1 for the one before it, and so on, --boot all
for all that are kept. A boot's id serves as well.`,
		Example: `  apiclient logs containerd.service
  apiclient logs -f
  apiclient logs --boot=-1 --priority warning --lines 100
  apiclient logs --since 1h -u apiserver.service`,
		Args: between(0, 1, "at most one UNIT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if r.Unit != "" {
					return usage("the unit is named twice: %q and --unit %q", args[0], r.Unit)
				}
				r.Unit = args[0]
			}
			return p.logs(cmd, r)
		},
	}
	cmd.Flags().StringVarP(&r.Unit, "unit", "u", "", "only lines of `UNIT`")
	logFlags(cmd, &r)
	return cmd
}

func (p *program) dmesgCommand() *cobra.Command {
	r := client.LogsRequest{Kernel: true}
	cmd := &cobra.Command{
		Use:   "dmesg",
		Short: "Print what the kernel says",
		Long:  "Print what the kernel said since the node was started. The options are those of\nlogs.",
		Example: `  apiclient dmesg
  apiclient dmesg --boot=-1 --priority err`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.logs(cmd, r) },
	}
	logFlags(cmd, &r)
	return cmd
}

// levels are the names of the syslog levels, the worst first.
var levels = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

func logFlags(cmd *cobra.Command, r *client.LogsRequest) {
	f := cmd.Flags()
	f.BoolVarP(&r.Follow, "follow", "f", false, "go on with lines as they come")
	f.StringVarP(&r.Boot, "boot", "b", "", "only lines of `BOOT`: 0, -1, …, an id, or all (default 0; with -f all)")
	f.StringVar(&r.Since, "since", "", "only lines since `TIME`: how long ago, as 90s or 2h, or a time as 2026-01-02T03:04:05Z")
	f.IntVarP(&r.Lines, "lines", "n", 0, "only the last `N` lines")
	f.StringVarP(&r.Priority, "priority", "p", "", "only lines of this `LEVEL` or worse: emerg, alert, crit, err, warning, notice, info, debug or 0 to 7")
	fixed(cmd, "priority", levels...)
}

// followFrom is how many lines come before those that are waited for.
const followFrom = 10

func (p *program) logs(cmd *cobra.Command, r client.LogsRequest) error {
	if err := p.streaming(); err != nil {
		return err
	}
	if err := checkLogs(cmd, &r); err != nil {
		return err
	}
	ctx := cmd.Context()
	stream, err := p.client(cmd).Logs(ctx, r, func(err error) {
		p.note(cmd, "the node is gone (%v), trying again", err)
	})
	if err != nil {
		return err
	}
	defer stream.Close()
	for n := 0; ; n++ {
		line, err := stream.Next(ctx)
		switch {
		case ctx.Err() != nil && r.Follow: // being interrupted is the ordinary end
			return nil
		case errors.Is(err, io.EOF):
			if n == 0 {
				p.note(cmd, "the journal has no such line")
			}
			return nil
		case err != nil:
			return err
		}
		if err := p.writeLogLine(cmd, line, r.Kernel); err != nil {
			return err
		}
	}
}

// checkLogs refuses what no journal understands, and fills in what is usual.
func checkLogs(cmd *cobra.Command, r *client.LogsRequest) error {
	switch {
	case r.Lines < 0 || r.Lines == 0 && cmd.Flags().Changed("lines"):
		return usage("--lines %d: want 1 or more", r.Lines)
	case r.Priority != "" && !slices.Contains(levels, r.Priority) && !isLevel(r.Priority):
		return usage("--priority %q: want emerg, alert, crit, err, warning, notice, info, debug or 0 to 7", r.Priority)
	}
	if r.Since != "" {
		if err := checkSince(r.Since); err != nil {
			return err
		}
	}
	if r.Boot == "" {
		r.Boot = map[bool]string{true: "all", false: "0"}[r.Follow]
	}
	if r.Follow && r.Lines == 0 && r.Since == "" {
		r.Lines = followFrom
	}
	return nil
}

func isLevel(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n < len(levels)
}

func checkSince(s string) error {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return nil
	}
	return usage("--since %q: want how long ago, as 90s or 2h, or a time as 2026-01-02T03:04:05Z", s)
}

func (p *program) writeLogLine(cmd *cobra.Command, l client.LogLine, kernel bool) error {
	out := cmd.OutOrStdout()
	if p.output == "json" {
		_, err := fmt.Fprintf(out, "%s\n", document.NodeJSON(nil, nodeOf(l)))
		return err
	}
	var b bytes.Buffer
	b.WriteString(l.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	if !kernel {
		b.WriteString(" " + visible(speaker(l)) + ":")
	}
	text := visible(l.Message)
	switch paint := p.painter(cmd); {
	case l.Priority <= 3:
		text = paint(red, text)
	case l.Priority == 4:
		text = paint(bold, text)
	}
	b.WriteString(" " + text + "\n")
	_, err := out.Write(b.Bytes())
	return err
}

// speaker names what wrote l.
func speaker(l client.LogLine) string {
	name := cmp.Or(l.Identifier, l.Unit, "kernel")
	if l.PID > 0 {
		return fmt.Sprintf("%s[%d]", name, l.PID)
	}
	return name
}
