package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/api/contexts"
)

func (p *program) contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Keep the nodes that are reached over the network",
		Long: `A context is a name for a node elsewhere: its endpoint, how to know it, and the
certificate to show it. Contexts are kept in contexts.toml in
$XDG_CONFIG_HOME/bulkhead, usually ~/.config/bulkhead. A node is known by the
fingerprint of its certificate or by an authority, and not trusted without
either.`,
		Example: `  apiclient context add lab-1 --endpoint 192.0.2.10 --fingerprint 3f6c… --cert anna.pem
  apiclient context list
  apiclient --context lab-1 get`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: usage("want add, use, list, show or remove"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	cmd.AddCommand(p.contextAddCommand(), p.contextUseCommand(), p.contextListCommand(), p.contextShowCommand(), p.contextRemoveCommand())
	return cmd
}

func (p *program) contextAddCommand() *cobra.Command {
	var use, force bool
	cmd := &cobra.Command{
		Use:   "add NAME --endpoint HOST:PORT (--fingerprint SHA256 | --ca FILE) --cert FILE [--key FILE]",
		Short: "Add a context",
		Long: `Add a context. The files are only named in it, and must stay where they are.
The first context comes into use by itself. Nothing is sent to the node:
"apiclient --context NAME health" tries it.`,
		Example: `  apiclient context add lab-1 --endpoint 192.0.2.10:8443 \
      --fingerprint 3f6c… --cert ~/.config/bulkhead/pki/issued/anna.pem
  apiclient context add lab-2 --endpoint lab-2.example.org --ca ca.crt \
      --cert anna.crt --key anna.key --use`,
		Args: between(1, 1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.addContext(cmd, args[0], use, force) },
	}
	cmd.Flags().BoolVar(&use, "use", false, "use it from now on")
	cmd.Flags().BoolVar(&force, "force", false, "replace the context of that name if there is one")
	return cmd
}

func (p *program) addContext(cmd *cobra.Command, name string, use, force bool) error {
	c := p.target.way
	c.Name = name
	if err := c.Check(); err != nil {
		return &UsageError{Err: err, Hint: "apiclient context add --help"}
	}
	for _, file := range []*string{&c.CA, &c.Certificate, &c.Key} {
		var err error
		if *file, err = absolute(*file); err != nil {
			return err
		}
	}
	remote, err := c.Remote()
	if err != nil {
		return err
	}
	if err := remote.Check(); err != nil {
		return err
	}
	return changeContexts(func(f *contexts.File) error {
		if _, err := f.Find(name); err == nil && !force {
			return &hinted{fmt.Errorf("there is a context %q already", name), "replace it with --force"}
		}
		f.Set(c)
		if use || len(f.Contexts) == 1 {
			f.Current = name
		}
		if f.Current == name {
			p.remark(cmd, "context %s is in use", name)
		}
		return nil
	})
}

func changeContexts(f func(*contexts.File) error) error {
	dir, err := contexts.DefaultDir()
	if err != nil {
		return err
	}
	return contexts.Change(dir, f)
}

func loadContexts() (contexts.File, error) {
	dir, err := contexts.DefaultDir()
	if err != nil {
		return contexts.File{}, err
	}
	return contexts.Load(dir)
}

func (p *program) contextUseCommand() *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use (NAME | --none)",
		Short: "Say which context is meant when none is named",
		Example: `  apiclient context use lab-1
  apiclient context use --none`,
		Args:              between(0, 1, "one NAME, or --none"),
		ValidArgsFunction: p.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if none == (len(args) == 1) {
				return wrongArgs(cmd, "want one NAME, or --none")
			}
			return changeContexts(func(f *contexts.File) error {
				if none {
					f.Current = ""
					return nil
				}
				c, err := f.Find(args[0])
				f.Current = c.Name
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "use none: the socket of this machine is meant")
	return cmd
}

// A listedContext is a context as lists show it.
type listedContext struct {
	contexts.Context
	Current bool `json:"current"`
}

func (p *program) contextListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the contexts",
		Long:  "List the contexts: name, whether it is in use, endpoint, how the node is known, and\nthe certificate to show it.",
		Args:  noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := loadContexts()
			if err != nil {
				return err
			}
			r := rows{head: []string{"NAME", "CURRENT", "ENDPOINT", "KNOWN BY", "CERTIFICATE"}}
			var list []listedContext
			for _, c := range file.Contexts {
				l := listedContext{c, c.Name == file.Current}
				list = append(list, l)
				r.cells = append(r.cells, []string{c.Name, map[bool]string{true: "*"}[l.Current], c.Endpoint, knownBy(c), c.Certificate})
			}
			return p.list(cmd, orEmpty(list), "contexts", r)
		},
	}
}

// knownBy says in short how the node of c is known.
func knownBy(c contexts.Context) string {
	var out string
	if c.Fingerprint != "" {
		out = "fingerprint " + c.Fingerprint[:16] + "…"
	}
	if c.CA != "" {
		if out != "" {
			out += " and "
		}
		out += "CA " + c.CA
	}
	return out
}

func (p *program) contextShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show a context, or the one in use",
		Example: `  apiclient context show
  apiclient context show lab-1 -o json`,
		Args:              between(0, 1, "at most one NAME"),
		ValidArgsFunction: p.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := loadContexts()
			if err != nil {
				return err
			}
			name := file.Current
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" {
				return &hinted{errors.New("no context is in use"), "apiclient context use NAME"}
			}
			c, err := file.Find(name)
			if err != nil {
				return err
			}
			return p.write(cmd, nodeOf(listedContext{c, c.Name == file.Current}), "toml", "context")
		},
	}
}

func (p *program) contextRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Remove a context",
		Long:              "Remove a context. The files that it names stay.",
		Example:           "  apiclient context remove lab-1",
		Args:              between(1, 1, "one NAME"),
		ValidArgsFunction: p.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeContexts(func(f *contexts.File) error {
				inUse := f.Current == args[0]
				if err := f.Remove(args[0]); err != nil {
					return err
				}
				if inUse {
					p.remark(cmd, "no context is in use now: the socket %s is meant", client.DefaultSocket)
				}
				return nil
			})
		},
	}
}
