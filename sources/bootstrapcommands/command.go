// Package bootstrapcommands runs the commands that prepare a node while it boots.
//
// The commands are calls of the API client. Their exit statuses count: an entry
// has failed when one of its commands has. Of an essential entry that is the end
// of the boot, which leaves a node whose API is there and says so.
package bootstrapcommands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/bootentry"
	"github.com/bulkhead-os/bulkhead/sources/internal/healthfile"
	"github.com/bulkhead-os/bulkhead/sources/internal/journallog"
	"github.com/bulkhead-os/bulkhead/sources/internal/program"
	"github.com/bulkhead-os/bulkhead/sources/internal/usage"
)

// group is the name of the settings, and of the program.
const group = "bootstrap-commands"

// commandLimit is how long one command may take. It bounds a boot that would
// wait for ever; disks are formatted in less.
const commandLimit = 30 * time.Minute

// A runner runs entries.
type runner struct {
	client string // the only program that commands call
	health string
	log    *slog.Logger
}

// Command returns the program.
func Command() *cobra.Command {
	r := runner{}
	cmd := &cobra.Command{
		Use:   group + " DIR",
		Short: "Run the commands that prepare a node while it boots",
		Long: `Run the commands of the entries in DIR, one entry after the other in the order of
their names. The exit status is 1 when an essential entry has failed.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Mistake(fmt.Errorf("%d arguments, want the directory with the entries", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.log = journallog.New(cmd.ErrOrStderr())
			return r.run(cmd.Context(), args[0])
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Mistake(err) })
	cmd.Flags().StringVar(&r.client, "client", "/usr/bin/apiclient", "`FILE` of the API client")
	cmd.Flags().StringVar(&r.health, "health", healthfile.Dir, "`DIR` in which faults are reported")
	return cmd
}

// An entry is a list of commands with the boots that they run on.
type entry struct {
	bootentry.Entry

	Commands [][]string `toml:"commands"`
}

func (r *runner) run(ctx context.Context, dir string) error {
	files, err := bootentry.Files(dir)
	if err != nil {
		return fmt.Errorf("bootstrap commands: %w", err)
	}
	var faults []report.Fault
	for _, file := range files {
		found, stop := r.entry(ctx, file)
		faults = append(faults, found...)
		if stop {
			err = fmt.Errorf("bootstrap commands %s: essential entry failed", bootentry.Name(file))
			break
		}
	}
	return errors.Join(err, healthfile.WriteTo(r.health, group, faults))
}

// entry runs the commands in file. It returns what went wrong, and whether the
// boot stops.
func (r *runner) entry(ctx context.Context, file string) (faults []report.Fault, stop bool) {
	name := bootentry.Name(file)
	e, err := read(file)
	if err != nil {
		r.log.Error("entry cannot be read", "entry", name, "error", err)
		return []report.Fault{{
			Severity: report.Error, Path: "settings." + group + "." + name, Code: bootentry.Unusable, Detail: err.Error(),
		}}, false
	}
	if err := r.commands(ctx, name, e); err != nil {
		r.log.Error("entry failed", "entry", name, "essential", e.Essential, "error", err)
		return []report.Fault{e.Fault(group, name, err)}, e.Essential
	}
	return e.Done(ctx, r.client, group, name, r.log), false
}

func read(file string) (entry, error) {
	var e entry
	data, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

// commands runs the commands of e. The rest runs after one that failed, unless e
// is essential.
func (r *runner) commands(ctx context.Context, name string, e entry) error {
	var failed []error
	for i, words := range e.Commands {
		what := fmt.Sprintf("command %d (%s)", i+1, outline(words))
		output, err := r.command(ctx, words)
		if err == nil {
			r.log.Info("command done", "entry", name, "command", what, "output", output)
			continue
		}
		r.log.Warn("command failed", "entry", name, "command", what, "error", err, "output", output)
		failed = append(failed, fmt.Errorf("%s: %w", what, err))
		if e.Essential || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// outline returns the words of a command that hold no values, and so no secrets.
func outline(words []string) string {
	if len(words) > 2 {
		words = append(slices.Clone(words[:2]), "…")
	}
	return strings.Join(words, " ")
}

// command runs one command. The error has its exit status and the last line that
// it wrote, and none of its words.
func (r *runner) command(ctx context.Context, words []string) (string, error) {
	if len(words) == 0 || words[0] != "apiclient" {
		return "", errors.New("it does not call apiclient")
	}
	output, err := program.Run(ctx, commandLimit, append([]string{r.client}, words[1:]...)...)
	output = strings.TrimRight(output, "\n")
	if err != nil {
		return output, errors.Unwrap(err) // what it wraps the cause in are the words
	}
	return output, nil
}
