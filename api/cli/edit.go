package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

func (p *program) editCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit",
		Short: "Edit the settings in an editor",
		Long: `Open what was set on this node as TOML in $VISUAL or $EDITOR, and apply what
was changed there when the editor ends. A setting that is removed is unset. When
somebody else changed settings meanwhile, nothing is applied.

Secrets show as <redacted>; left as they are, they stay what they are. When the
text cannot be applied it is kept, and the error says where.`,
		Args: noStray,
	}
	c := p.newChange(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.check(cmd); err != nil {
			return err
		}
		return p.edit(cmd, c)
	}
	return cmd
}

// An edited text is a file of settings in an editor's hands.
type editedText struct {
	dir, path string
	old       document.Document
}

func (p *program) edit(cmd *cobra.Command, c *change) error {
	editor, err := editorCommand()
	if err != nil {
		return err
	}
	got, err := p.client(cmd).Settings(cmd.Context(), client.Query{Layer: client.User})
	if err != nil {
		return err
	}
	c.ifMatch = got.ETag
	text, err := newText(got.Document)
	if err != nil {
		return err
	}
	for {
		if err := runEditor(cmd, editor, text.path); err != nil {
			return text.kept(err)
		}
		err := p.applyText(cmd, c, text)
		if err == nil || isCommitted(err) {
			return errors.Join(err, os.RemoveAll(text.dir))
		}
		if !asks(cmd) {
			return text.kept(err)
		}
		WriteError(cmd.ErrOrStderr(), err)
		if !again(cmd) {
			return text.kept(nil)
		}
	}
}

func editorCommand() ([]string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if words := strings.Fields(os.Getenv(name)); len(words) > 0 {
			return words, nil
		}
	}
	return nil, &hinted{errors.New("no editor is named"), "set EDITOR, as in EDITOR=vi apiclient edit"}
}

const editHeader = `# What was set on this node. Save and leave the editor to apply your changes;
# leave the text as it is to change nothing.
`

// newText writes doc to a file that only the user can read.
func newText(doc document.Document) (*editedText, error) {
	dir, err := os.MkdirTemp("", "apiclient-edit-")
	if err != nil {
		return nil, err
	}
	t := &editedText{dir: dir, path: filepath.Join(dir, "settings.toml"), old: doc}
	toml := doc.TOML()
	if len(toml) == 0 {
		toml = []byte("[settings]\n")
	}
	if err := os.WriteFile(t.path, append([]byte(editHeader+"\n"), toml...), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

// kept says where the text is that could not be applied.
func (t *editedText) kept(err error) error {
	return errors.Join(err, &hinted{errors.New("nothing was changed"), "your text is in " + t.path})
}

func runEditor(cmd *cobra.Command, words []string, path string) error {
	e := exec.CommandContext(cmd.Context(), words[0], append(words[1:], path)...)
	e.Stdin, e.Stdout, e.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if err := e.Run(); err != nil {
		return fmt.Errorf("editor %q: %w", strings.Join(words, " "), err)
	}
	return nil
}

// applyText sends what the user changed in the text.
func (p *program) applyText(cmd *cobra.Command, c *change, t *editedText) error {
	data, err := readFile(t.path)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.path, err)
	}
	files, err := parseAll([]source{{t.path, data}})
	if err != nil {
		return err
	}
	edited, err := document.FromNode(files[0].settings)
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	patch := patchTo(t.old, edited)
	if patch.IsEmpty() {
		p.remark(cmd, "nothing was edited")
		return nil
	}
	err = c.run(cmd, func(ctx context.Context, api *client.Client, tx string) (int, error) {
		return api.Patch(ctx, client.Patch{Tx: tx, ContentType: client.MergePatch, Body: patch.JSON(), IfMatch: c.ifMatch})
	})
	return locate(withoutPlaces(err), files)
}

// withoutPlaces forgets places in the patch, a text the user never saw.
func withoutPlaces(err error) error {
	faults := faultsOf(err)
	for i := range faults {
		faults[i].Line, faults[i].Column = 0, 0
	}
	return err
}

// patchTo returns the patch that leads from one document to another.
func patchTo(from, to document.Document) document.Patch {
	var set []document.Leaf
	var unset []key.Key
	for _, c := range document.Diff(from, to) {
		if c.New == nil {
			unset = append(unset, c.Key)
			continue
		}
		set = append(set, document.Leaf{Key: c.Key, Value: *c.New})
	}
	return document.Patch{Set: document.Of(set...), Unset: unset}
}

// asks reports whether there is a person who can answer.
func asks(cmd *cobra.Command) bool {
	return isTerminal(cmd.InOrStdin()) && isTerminal(cmd.ErrOrStderr()) && cmd.Context().Err() == nil
}

// again asks whether to open the editor once more.
func again(cmd *cobra.Command) bool {
	fmt.Fprint(cmd.ErrOrStderr(), "Edit again? [Y/n] ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "" || strings.HasPrefix(answer, "y"))
}
