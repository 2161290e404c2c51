// Package cli is the command line of apiclient.
//
// Data goes to standard output and words to standard error. Off a terminal
// there are no colours, no headings and no remarks, so that the output can be
// read by a program; -o json gives every command's data as JSON. The exit
// status is 0 for done, 1 for failed and 2 for misused.
//
// What Bottlerocket's apiclient accepts for get, set, apply and raw is accepted
// with the same meaning. Two things differ on purpose: -h prints to standard
// output and exits with 0, and get takes names without "settings." in front.
package cli

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// A program is what the commands share: the options that may stand anywhere on
// the line.
type program struct {
	target   target
	logLevel string
	output   string
	verbose  bool
	noColor  bool
}

// Command returns apiclient with all its commands. Every call makes a new one.
func Command() *cobra.Command {
	p := &program{}
	raw := &rawOptions{}
	root := &cobra.Command{
		Use:   "apiclient",
		Short: "Show and change the settings of this node",
		Long: `apiclient talks to the settings API of a node: on the node over its socket, from
elsewhere over TLS. Which node that is, is said by the first of these that is
there: --socket; --endpoint and --context; $BULKHEAD_ENDPOINT and
$BULKHEAD_CONTEXT; $BULKHEAD_SOCKET; the context in use (apiclient context use);
the socket of the node it runs on. An endpoint without certificates of its own
is reached with those of the context that is named, or else of the one in use.

Without a command it does what raw does: apiclient -u /settings

Exit status: 0 done, 1 failed, 2 misused.`,
		Example: `  apiclient get
  apiclient set motd="hi there"
  apiclient set --try 5m kernel.lockdown=integrity
  apiclient history
  apiclient --context lab-1 logs -f`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return p.check() },
		Args:              noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("uri") {
				return &UsageError{Err: errors.New("no command is given"), Hint: "apiclient --help"}
			}
			return p.raw(cmd, *raw)
		},
	}
	p.flags(root.PersistentFlags())
	complete(root, "context", p.completeContexts)
	raw.flags(root)
	for _, name := range []string{"uri", "method", "data", "content-type"} {
		root.Flags().Lookup(name).Hidden = true // raw explains them
	}
	root.SetGlobalNormalizationFunc(otherNames)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &UsageError{Err: err, Hint: cmd.CommandPath() + " --help"}
	})
	root.AddGroup(
		&cobra.Group{ID: groupSettings, Title: "Settings:"},
		&cobra.Group{ID: groupGenerations, Title: "Generations and transactions:"},
		&cobra.Group{ID: groupNode, Title: "The node:"},
		&cobra.Group{ID: groupRemote, Title: "Nodes elsewhere:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.AddCommand(p.commands()...)
	root.SetHelpCommandGroupID(groupOther)
	return root
}

// The groups that the help lists commands in.
const (
	groupSettings    = "settings"
	groupGenerations = "generations"
	groupNode        = "node"
	groupRemote      = "remote"
	groupOther       = "other"
)

func (p *program) commands() []*cobra.Command {
	in := func(group string, cmds ...*cobra.Command) []*cobra.Command {
		for _, c := range cmds {
			c.GroupID = group
		}
		return cmds
	}
	return slices.Concat(
		in(groupSettings, p.getCommand(), p.setCommand(), p.unsetCommand(), p.applyCommand(), p.editCommand(),
			p.validateCommand(), p.userDataCommand(), p.schemaCommand(), p.explainCommand(), p.watchCommand()),
		in(groupGenerations, p.diffCommand(), p.historyCommand(), p.revertCommand(), p.confirmCommand(), p.txCommand(),
			p.applyStatusCommand()),
		in(groupNode, p.healthCommand(), p.updateCommand(), p.containerCommand(), p.execCommand(), p.debugCommand(), p.logsCommand(), p.dmesgCommand(), p.rebootCommand(), p.shutdownCommand(), p.resetCommand()),
		in(groupRemote, p.contextCommand(), p.pkiCommand()),
		in(groupOther, p.eventsCommand(), p.rawCommand(), completionCommand()),
	)
}

func (p *program) flags(f *pflag.FlagSet) {
	p.target.flags(f)
	f.StringVarP(&p.output, "output", "o", "", "print data as `FORM`: json, toml, yaml or table")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "tell on standard error what is done")
	f.StringVar(&p.logLevel, "log-level", "", "trace, debug, info, warn or error; `LEVEL` debug and trace are the same as -v")
	f.BoolVar(&p.noColor, "no-color", false, "no colours, even on a terminal")
}

// otherNames maps the names that other clients use for the same option.
func otherNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "socket-path":
		name = "socket"
	case "no-colour":
		name = "no-color"
	}
	return pflag.NormalizedName(name)
}

// check refuses options with values that no command takes.
func (p *program) check() error {
	if !slices.Contains([]string{"", "json", "toml", "yaml", "table"}, p.output) {
		return usage("--output %q: want json, toml, yaml or table", p.output)
	}
	switch strings.ToLower(p.logLevel) {
	case "debug", "trace":
		p.verbose = true
	case "", "info", "warn", "error", "off":
	default:
		return usage("--log-level %q: want trace, debug, info, warn or error", p.logLevel)
	}
	return nil
}

// noStray refuses arguments of commands that take none.
func noStray(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return wrongArgs(cmd, "%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	hint := cmd.CommandPath() + " --help"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return &UsageError{Err: fmt.Errorf("there is no command %q", cmd.CommandPath()+" "+args[0]), Hint: hint}
}

// atLeast refuses fewer than n arguments; what names them for people.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return wrongArgs(cmd, "want %s", what)
		}
		return nil
	}
}

// between refuses fewer than least and more than most arguments.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return wrongArgs(cmd, "want %s, got %d arguments", what, len(args))
		}
		return nil
	}
}

func wrongArgs(cmd *cobra.Command, format string, args ...any) error {
	return &UsageError{Err: fmt.Errorf(format, args...), Hint: cmd.CommandPath() + " --help"}
}

// client returns the client that the options ask for.
func (p *program) client(cmd *cobra.Command) *client.Client {
	c := p.target.client()
	if p.verbose {
		c.Trace = func(e client.Exchange) {
			p.note(cmd, "%s %s: %d in %s", e.Method, e.URI, e.Status, e.Took.Round(10*time.Microsecond))
		}
	}
	return c
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
