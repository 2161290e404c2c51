package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/contexts"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func (p *program) pkiCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "pki",
		Short: "Make the certificates for the remote API",
		Long: `Make an authority, the certificates with which people and programs prove to nodes
who they are and which role they have, and certificates for nodes. Nothing is
sent anywhere: all of it happens in the directory, pki in
$XDG_CONFIG_HOME/bulkhead unless --dir names another. Keys there are for their
owner alone. A certificate and its key are in one file.`,
		Example: `  apiclient pki init > remote.toml
  apiclient pki issue anna --role admin
  apiclient pki show`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: usage("want init, issue, rotate or show"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "keep everything in `DIR`")
	cmd.AddCommand(p.pkiInitCommand(&dir), p.pkiIssueCommand(&dir), p.pkiRotateCommand(&dir), p.pkiShowCommand(&dir))
	return cmd
}

// pkiDir returns the directory that is meant.
func pkiDir(dir string) (string, error) {
	if dir != "" {
		return absolute(dir)
	}
	dir, err := contexts.DefaultDir()
	return filepath.Join(dir, "pki"), err
}

func openAuthority(dir string) (*pki.Authority, error) {
	dir, err := pkiDir(dir)
	if err != nil {
		return nil, err
	}
	a, err := pki.Open(dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{fmt.Errorf("there is no authority in %s", dir), "make one with: apiclient pki init"}
	}
	return a, err
}

func (p *program) pkiInitCommand(dir *string) *cobra.Command {
	var name string
	var force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make an authority",
		Long: `Make an authority, and print the settings that make a node trust it and serve the
remote API. With --force one that is there is forgotten, and its certificates are
issued anew: nodes refuse the new ones until they are given the new authority.`,
		Example: `  apiclient pki init > remote.toml
  apiclient pki init --name example --dir /media/stick/pki`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := pkiDir(*dir)
			if err != nil {
				return err
			}
			a, err := pki.Create(dir, name, force, nil)
			if err != nil {
				return existing(err, "add certificates with apiclient pki issue, replace it without a gap with apiclient pki rotate, or begin anew with --force")
			}
			p.note(cmd, "made the authority %s in %s", a.Authorities()[0].Name, dir)
			return p.writeSettings(cmd, remoteSettings(a))
		},
	}
	cmd.Flags().StringVar(&name, "name", "bulkhead", "call the authority `NAME`, the date and a random number")
	cmd.Flags().BoolVar(&force, "force", false, "forget the authority that is there")
	return cmd
}

// existing adds advice to an error that says that something is there.
func existing(err error, advice string) error {
	if _, ok := errors.AsType[*pki.Exists](err); ok {
		return &hinted{err, advice}
	}
	return err
}

// remoteSettings returns the settings that make a node trust a.
func remoteSettings(a *pki.Authority) *syntax.Node {
	return syntax.NewTable(
		syntax.Field{Name: "client-ca", Value: syntax.NewString(base64.StdEncoding.EncodeToString(a.Bundle()))},
		syntax.Field{Name: "enabled", Value: nodeOf(true)},
	)
}

// writeSettings prints members of settings.api.remote.
func (p *program) writeSettings(cmd *cobra.Command, remote *syntax.Node) error {
	n := remote
	for _, name := range []string{"remote", "api", "settings"} {
		n = syntax.NewTable(syntax.Field{Name: name, Value: n})
	}
	return p.write(cmd, n, "toml", "settings")
}

func (p *program) pkiIssueCommand(dir *string) *cobra.Command {
	var r pki.Request
	var days int
	var force bool
	cmd := &cobra.Command{
		Use:   "issue NAME --role ROLE",
		Short: "Issue a certificate",
		Long: `Issue a certificate to NAME, and print the path of the file that holds it and its
key. The role is admin, operator or reader, for those who call nodes; or server,
for a node that is reached at the given addresses.`,
		Example: `  apiclient pki issue anna --role admin
  apiclient pki issue monitoring --role reader --days 90
  apiclient pki issue node-1 --role server --address node-1.example.org --address 192.0.2.10
  apiclient pki show node-1 --settings`,
		Args: between(1, 1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 1 || days > 36500 {
				return usage("--days %d: want 1 to 36500", days)
			}
			a, err := openAuthority(*dir)
			if err != nil {
				return err
			}
			r.Name, r.Lifetime = args[0], time.Duration(days)*24*time.Hour
			if err := r.Check(); err != nil {
				return &UsageError{Err: err, Hint: cmd.CommandPath() + " --help"}
			}
			c, err := a.Issue(r, force)
			if err != nil {
				return existing(err, "replace it with --force, or take another name")
			}
			p.remark(cmd, "issued to %s as %s until %s", c.Name, c.Role, timeText(&c.NotAfter))
			return p.list(cmd, c, "certificate", rows{head: []string{"FILE"}, cells: [][]string{{c.File}}})
		},
	}
	f := cmd.Flags()
	f.StringVar((*string)(&r.Role), "role", "", "`ROLE`: admin, operator, reader or server")
	f.IntVar(&days, "days", int(pki.DefaultLifetime/(24*time.Hour)), "valid for `N` days, but not longer than the authority")
	f.StringArrayVar(&r.Addresses, "address", nil, "host name or IP `ADDRESS` of a server; may be given several times")
	f.BoolVar(&force, "force", false, "replace the certificate of that name if there is one")
	var roles []string
	for _, role := range pki.Roles {
		roles = append(roles, string(role))
	}
	fixed(cmd, "role", roles...)
	return cmd
}

func (p *program) pkiRotateCommand(dir *string) *cobra.Command {
	var retire bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the authority by a new one without a gap",
		Long: `Make a new authority beside the current one, issue every certificate anew, and
print the settings that make a node trust both. The new certificates also carry
the signature of the old authority, so that nodes accept them at once, in any
order. When every node has the settings and every person the new certificate,
--retire takes the old authority out of both, and prints the settings without it.`,
		Example: `  apiclient pki rotate > remote.toml
  apiclient --context lab-1 apply remote.toml
  apiclient pki rotate --retire > remote.toml`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := openAuthority(*dir)
			if err != nil {
				return err
			}
			if err := p.rotate(cmd, a, retire); err != nil {
				return err
			}
			return p.writeSettings(cmd, remoteSettings(a))
		},
	}
	cmd.Flags().BoolVar(&retire, "retire", false, "end the trust in older authorities")
	return cmd
}

func (p *program) rotate(cmd *cobra.Command, a *pki.Authority, retire bool) error {
	if retire {
		n, err := a.Retire()
		if err != nil {
			return err
		}
		if n == 0 {
			return &hinted{errors.New("there is only one authority"), "make a new one first with: apiclient pki rotate"}
		}
		p.note(cmd, "retired %d; give nodes the settings that follow", n)
		return nil
	}
	if err := a.Rotate(); err != nil {
		return err
	}
	issued, err := a.Issued()
	if err != nil {
		return err
	}
	p.note(cmd, "made the authority %s and issued %d certificates anew", a.Authorities()[0].Name, len(issued))
	p.note(cmd, "give nodes the settings that follow, and when all have them: apiclient pki rotate --retire")
	return nil
}

func (p *program) pkiShowCommand(dir *string) *cobra.Command {
	var settings bool
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show the authority and what it issued, or the settings for nodes",
		Long: `List the authorities, the current one first, and the certificates they issued:
name, role, end, state and SHA-256 fingerprint. With --settings, print the
settings that make a node trust the authorities; with the NAME of a server's
certificate also those that give it to the node, its key included.`,
		Example: `  apiclient pki show
  apiclient pki show --settings > remote.toml
  apiclient pki show node-1 --settings > node-1.toml`,
		Args:              between(0, 1, "at most one NAME"),
		ValidArgsFunction: completeIssued(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := openAuthority(*dir)
			if err != nil {
				return err
			}
			issued, err := a.Issued()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if issued, err = named(issued, args[0]); err != nil {
					return err
				}
			}
			if settings {
				return p.showSettings(cmd, a, args, issued)
			}
			return p.showAuthority(cmd, a, args, issued)
		},
	}
	cmd.Flags().BoolVar(&settings, "settings", false, "print settings for nodes")
	return cmd
}

// named returns the one certificate called name.
func named(issued []pki.Certificate, name string) ([]pki.Certificate, error) {
	for _, c := range issued {
		if c.Name == name {
			return []pki.Certificate{c}, nil
		}
	}
	return nil, &hinted{fmt.Errorf("there is no certificate of %q", name), "see which there are with: apiclient pki show"}
}

func (p *program) showSettings(cmd *cobra.Command, a *pki.Authority, args []string, issued []pki.Certificate) error {
	remote := remoteSettings(a)
	if len(args) == 0 {
		return p.writeSettings(cmd, remote)
	}
	if issued[0].Role != pki.Server {
		return fmt.Errorf("the certificate of %s is for a caller with the role %s: only that of a server is given to a node", issued[0].Name, issued[0].Role)
	}
	chain, key, err := a.Parts(issued[0].Name)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"server-certificate", chain}, {"server-key", key}} {
		remote.Fields = append(remote.Fields, syntax.Field{Name: f.name, Value: syntax.NewString(base64.StdEncoding.EncodeToString(f.data))})
	}
	return p.writeSettings(cmd, remote)
}

func (p *program) showAuthority(cmd *cobra.Command, a *pki.Authority, args []string, issued []pki.Certificate) error {
	data := struct {
		Authorities []pki.Certificate `json:"authorities"`
		Issued      []pki.Certificate `json:"issued"`
	}{a.Authorities(), orEmpty(issued)}
	r := rows{head: []string{"NAME", "ROLE", "END", "STATE", "FINGERPRINT"}}
	if len(args) == 0 {
		for _, c := range data.Authorities {
			c.Role = "authority"
			r.cells = append(r.cells, certificateCells(c))
		}
	}
	for _, c := range issued {
		r.cells = append(r.cells, certificateCells(c))
	}
	return p.list(cmd, data, "pki", r)
}

func certificateCells(c pki.Certificate) []string {
	return []string{c.Name, string(c.Role), timeText(&c.NotAfter), certificateState(c, time.Now()), c.Fingerprint}
}

func certificateState(c pki.Certificate, now time.Time) string {
	const soon = 30 * 24 * time.Hour
	switch left := c.NotAfter.Sub(now); {
	case left <= 0:
		return "expired"
	case !c.Current:
		return "older"
	case left < soon:
		return fmt.Sprintf("ends in %d days", int(left/(24*time.Hour)))
	}
	return "good"
}

func completeIssued(dir *string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		a, err := openAuthority(*dir)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		issued, err := a.Issued()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, c := range issued {
			names = append(names, described(c.Name, string(c.Role)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
