package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// firstOptions are those of the first settings of a node that waits for them.
type firstOptions struct {
	fingerprint string
	code        string
	closed      bool
}

func (o *firstOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.fingerprint, "insecure-fingerprint", "", "give a new node its first settings: the `SHA256` that its console shows; no certificate is shown to it")
	f.StringVar(&o.code, "code", "", "the `CODE` on the console of that node")
	f.BoolVar(&o.closed, "closed", false, "give that node also settings that do not open the API to the network")
}

// wanted reports whether a node is to be given its first settings.
func (o *firstOptions) wanted() bool { return o.fingerprint != "" }

func (o *firstOptions) check(cmd *cobra.Command, c *change) error {
	set := cmd.Flags().Changed
	switch {
	case !o.wanted() && (set("code") || set("closed")):
		return usage("--code and --closed are for --insecure-fingerprint")
	case !o.wanted():
		return nil
	case o.code == "":
		return &UsageError{Err: errors.New("--insecure-fingerprint needs --code"), Hint: "both stand on the console of the node"}
	case c.p.target.way.Endpoint == "":
		return &UsageError{Err: errors.New("--insecure-fingerprint needs --endpoint"), Hint: "the address stands on the console of the node"}
	case c.p.target.way.Fingerprint != "" || c.p.target.way.CA != "" || c.p.target.way.Certificate != "" || c.p.target.context != "":
		return usage("--insecure-fingerprint excludes --context, --fingerprint, --ca and --cert: the node knows nobody yet")
	case set("tx") || set("dry-run") || set("try") || set("no-try") || set("message") || set("wait"):
		return usage("--insecure-fingerprint excludes --tx, --dry-run, --try, --no-try, --message and --wait: first settings are taken as they are")
	}
	return nil
}

// submit gives the node its first settings. It pins the certificate: whoever sits in
// between learns neither the settings nor the code.
func (o *firstOptions) submit(cmd *cobra.Command, p *program, files []settingsFile) error {
	if len(files) != 1 {
		return usage("first settings are one document, and %d are given", len(files))
	}
	endpoint, err := client.ParseEndpoint(p.target.way.Endpoint)
	if err != nil {
		return &UsageError{Err: err}
	}
	api := &client.Client{Remote: &client.Remote{Endpoint: endpoint, Fingerprint: o.fingerprint, Anonymous: true}}
	warnings, err := api.FirstSettings(cmd.Context(), client.FirstDocument{
		ContentType: files[0].contentType, Body: files[0].data, Code: o.code, Closed: o.closed,
	})
	if err != nil {
		return withSource(err, files[0].name)
	}
	p.note(cmd, "the node has its first settings")
	if warnings > 0 {
		p.remark(cmd, "there are %d warnings; apiclient validate shows them", warnings)
	}
	return nil
}
