package cli

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/models/variant"
)

func (p *program) userDataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user-data",
		Short: "Write, check and convert what a new node starts with",
		Long: `Write, check and convert user data: what a new node finds when it boots for the
first time. Nothing is sent anywhere; this works on any machine.

User data is TOML or JSON with a table settings, or the part of cloud-config,
Ignition and Butane that settings stand for, each as it is or in gzip, base64
and MIME multi-part texts. A node takes what is valid and reports the rest.`,
		Args: noStray,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{Err: usage("want new, validate or convert"), Hint: cmd.CommandPath() + " --help"}
		},
	}
	cmd.AddCommand(p.userDataNewCommand(), p.userDataValidateCommand(), p.userDataConvertCommand())
	return cmd
}

// A dataFile is user data with what it comes to in a variant.
type dataFile struct {
	source
	variant *variant.Variant
	userdata.Result
}

// readUserData reads the user data that args name, or standard input, for the
// variant called name.
func readUserData(cmd *cobra.Command, name string, args []string) (dataFile, error) {
	v, err := localVariant(name)
	if err != nil {
		return dataFile{}, err
	}
	if len(args) == 0 {
		args = []string{"-"}
	}
	sources, err := readSources(cmd.Context(), cmd.InOrStdin(), args)
	if err != nil {
		return dataFile{}, err
	}
	f := dataFile{sources[0], v, userdata.Parse(sources[0].data, v)}
	for i, fault := range f.Result.Report.Faults {
		part := fault.Source
		if part != "" {
			part = " " + part
		}
		f.Result.Report.Faults[i].Source = f.name + part
	}
	return f, nil
}

func (p *program) userDataValidateCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "validate --variant NAME [FILE | URI | -]",
		Short: "Check user data as a node of a variant would",
		Long: `Check user data, in any of its languages and wrappings, as a node of the variant
called NAME would. All faults are reported with line and column of the text as
its author wrote it. A node with this user data would take what is valid and
report the same faults.`,
		Example: `  apiclient user-data validate --variant metal-k8s-1.36 user-data.toml
  apiclient user-data validate --variant qemu-dev -o json node.ign`,
		Args: between(0, 1, "at most one FILE"),
	}
	variantFlag(cmd, &name)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := readUserData(cmd, name, args)
		if err != nil {
			return err
		}
		if p.output != "" {
			data := struct {
				Variant  string         `json:"variant"`
				Format   string         `json:"format"`
				Wrapping []string       `json:"wrapping"`
				Settings int            `json:"settings"`
				Faults   []report.Fault `json:"faults"`
			}{f.variant.Name, string(f.Format), orEmpty(f.Layers), f.Document.Len(), orEmpty(f.Result.Report.Faults)}
			if err := p.write(cmd, nodeOf(data), "json", "user-data"); err != nil {
				return err
			}
		}
		if err := f.Result.Report.Err(); err != nil {
			return err
		}
		writeFaults(cmd.ErrOrStderr(), f.Result.Report.Faults)
		p.remark(cmd, "variant %s takes all of it: %s with %s", f.variant.Name, f.Format, plural(f.Document.Len(), "setting"))
		return nil
	}
	return cmd
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func variantFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "variant", "", "for nodes of the variant called `NAME`")
	complete(cmd, "variant", completeVariants)
}

func (p *program) userDataConvertCommand() *cobra.Command {
	var name, to string
	var partial bool
	cmd := &cobra.Command{
		Use:   "convert --variant NAME [FILE | URI | -]",
		Short: "Print user data as settings in TOML or JSON",
		Long: `Print what user data comes to on a node of the variant called NAME, as settings in
TOML or JSON. The input may be in any language of user data. When something in
it stands for no setting, nothing is printed, unless --partial asks for the rest.`,
		Example: `  apiclient user-data convert --variant metal-dev node.bu > user-data.toml
  apiclient user-data convert --variant qemu-dev --to json --partial cloud-config.yaml`,
		Args: between(0, 1, "at most one FILE"),
	}
	variantFlag(cmd, &name)
	cmd.Flags().StringVar(&to, "to", "toml", "print settings as `FORM`: toml or json")
	fixed(cmd, "to", "toml", "json")
	cmd.Flags().BoolVar(&partial, "partial", false, "print what is valid when something is not")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if p.output != "" && !cmd.Flags().Changed("to") {
			to = p.output
		}
		if !slices.Contains([]string{"toml", "json"}, to) {
			return usage("--to %q: want toml or json", to)
		}
		f, err := readUserData(cmd, name, args)
		if err != nil {
			return err
		}
		if err := f.Result.Report.Err(); err != nil && !partial {
			return err
		}
		writeFaults(cmd.ErrOrStderr(), f.Result.Report.Faults)
		_, err = cmd.OutOrStdout().Write(settingsText(f.Document, to))
		return err
	}
	return cmd
}

// settingsText prints doc with the table settings round it.
func settingsText(doc document.Document, form string) []byte {
	if form == "toml" {
		if doc.Len() == 0 {
			return []byte("[settings]\n")
		}
		return doc.TOML()
	}
	var b bytes.Buffer
	writeJSON(&b, syntax.NewTable(syntax.Field{Name: key.Root, Value: documentNode(doc)}))
	return b.Bytes()
}
