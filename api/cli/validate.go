package cli

import (
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

func (p *program) validateCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "validate --variant NAME [FILE | URI | -]...",
		Short: "Check documents with settings, without a node",
		Long: `Check settings documents against what the variant called NAME accepts. Nothing
is sent anywhere; this works on any machine.

Several documents are taken together as apply takes them: later ones win, and
checks across settings see what they and the variant's defaults come to. All
faults are reported with file, line and column. On a node, the variant is the
node's own unless another is named.`,
		Example: `  apiclient validate --variant metal-k8s-1.36 user-data.toml
  apiclient validate --variant qemu-dev -o json base.toml site.toml`,
	}
	cmd.Flags().StringVar(&name, "variant", "", "check against the variant called `NAME`")
	complete(cmd, "variant", completeVariants)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := localVariant(name)
		if err != nil {
			return err
		}
		files, err := readSettings(cmd, args)
		if err != nil && len(faultsOf(err)) == 0 {
			return err
		}
		rep := report.Report{Faults: faultsOf(err)}
		if err == nil {
			rep = check(v, files)
		}
		if p.output != "" {
			data := struct {
				Variant string         `json:"variant"`
				Faults  []report.Fault `json:"faults"`
			}{v.Name, orEmpty(rep.Faults)}
			if err := p.write(cmd, nodeOf(data), "json", "faults"); err != nil {
				return err
			}
		}
		if err := rep.Err(); err != nil {
			return err
		}
		writeFaults(cmd.ErrOrStderr(), rep.Faults)
		p.remark(cmd, "variant %s accepts these settings", v.Name)
		return nil
	}
	return cmd
}

// check finds everything that is wrong with files, taken together.
func check(v *variant.Variant, files []settingsFile) report.Report {
	var rep report.Report
	var user document.Document
	for _, f := range files {
		read := v.Schema.ReadTOML
		if f.contentType == client.JSON {
			read = v.Schema.ReadJSON
		}
		in := read(f.data, schema.Options{Beside: report.Warning})
		rep.Merge(inFile(f.name, in.Report))
		user = user.Apply(in.Patch)
	}
	_, whole := v.Validate(user, document.Document{})
	// What is already reported where it stands need not be told again.
	for _, f := range whole.Faults {
		if !reported(rep, f) {
			rep.Add(f)
		}
	}
	place(rep.Faults, files)
	return rep
}

func reported(rep report.Report, f report.Fault) bool {
	for _, r := range rep.Faults {
		if r.Path == f.Path && f.Path != key.Root {
			return true
		}
	}
	return false
}
