package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
)

func (p *program) applyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply [FILE | URI | -]...",
		Short: "Change settings to what documents say",
		Long: `Read settings from TOML or JSON documents and apply them in one step: later
documents win over earlier ones, and either all of them count or none. Settings
that no document mentions stay as they are.

A document is a path, a URI that begins with file:, base64:, http: or https:, or
- for standard input, which is also read when nothing is named. Its settings
stand below [settings]; what stands beside is ignored, with a warning. A remote document has at
most 2 MiB, a local one 8 MiB.

A new node that waits for its first settings shows an address, a fingerprint and a
code on its console. With these it takes one document from anybody:
--endpoint ADDRESS --insecure-fingerprint SHA256 --code CODE.`,
		Example: `  apiclient apply settings.toml
  apiclient apply --dry-run https://config.example.org/node.toml local.json
  apiclient apply < settings.toml
  apiclient apply --endpoint 192.0.2.10 --insecure-fingerprint 3f6c... --code K7QD-2MXP node.toml
  apiclient apply base64:W3NldHRpbmdzXQptb3RkID0gImhpIgo=`,
	}
	c := p.newChange(cmd)
	var first firstOptions
	first.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := first.check(cmd, c); err != nil {
			return err
		}
		if err := c.check(cmd); err != nil {
			return err
		}
		files, err := readSettings(cmd, args)
		if err != nil {
			return err
		}
		if first.wanted() {
			return locate(first.submit(cmd, p, files), files)
		}
		return locate(c.run(cmd, applyStage(files)), files)
	}
	return cmd
}

// readSettings reads the documents that args name, or standard input.
func readSettings(cmd *cobra.Command, args []string) ([]settingsFile, error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	stdin := 0
	for _, a := range args {
		if a == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return nil, usage("standard input can be read only once, and - is given %d times", stdin)
	}
	sources, err := readSources(cmd.Context(), cmd.InOrStdin(), args)
	if err != nil {
		return nil, err
	}
	return parseAll(sources)
}

// applyStage stages files as they are, so that the API can say where in them a
// fault is.
func applyStage(files []settingsFile) stage {
	return func(ctx context.Context, api *client.Client, tx string) (int, error) {
		warnings := 0
		for _, f := range files {
			n, err := api.Patch(ctx, client.Patch{Tx: tx, ContentType: f.contentType, Body: f.data, Document: true})
			if err != nil {
				return 0, withSource(err, f.name)
			}
			warnings += n
		}
		return warnings, nil
	}
}
