package bootstrapcommands

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// program is the only one that a bootstrap command may call.
const program = "apiclient"

// A Command is a call of the API client as a list of words.
type Command struct{ words []string }

// NewCommand returns the Command made of words, the first of which is
// "apiclient".
func NewCommand(words ...string) (Command, error) {
	switch {
	case len(words) == 0:
		return Command{}, errors.New("command is an empty list")
	case words[0] != program:
		return Command{}, fmt.Errorf("command starts with %.80q instead of %q", words[0], program)
	}
	for i, w := range words {
		if at := strings.IndexByte(w, 0); at >= 0 {
			return Command{}, fmt.Errorf("command: word %d has a NUL at byte %d, which no argument can hold", i+1, at+1)
		}
	}
	return Command{slices.Clone(words)}, nil
}

// Words returns the program's name and its arguments.
func (c Command) Words() []string { return slices.Clone(c.words) }

// Equal reports whether c and o are made of the same words.
func (c Command) Equal(o Command) bool { return slices.Equal(c.words, o.words) }

// String returns the words for people: those with anything but plain
// characters are quoted.
func (c Command) String() string {
	quoted := make([]string, len(c.words))
	for i, w := range c.words {
		if q := strconv.Quote(w); q != `"`+w+`"` || w == "" || strings.Contains(w, " ") {
			w = q
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}

// UnmarshalSetting reads a list of strings.
func (c *Command) UnmarshalSetting(n *syntax.Node) error {
	if n.Kind != syntax.Array {
		return fmt.Errorf("command is %s, not a list of strings", n.Describe())
	}
	words := make([]string, len(n.Items))
	for i, item := range n.Items {
		if item.Kind != syntax.String {
			return fmt.Errorf("command: word %d is %s, not a string", i+1, item.Describe())
		}
		words[i] = item.Text
	}
	parsed, err := NewCommand(words...)
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// MarshalJSON returns the list of words.
func (c Command) MarshalJSON() ([]byte, error) { return json.Marshal(c.words) }

// Rule describes the type.
func (Command) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "API client command",
		Want:     `a list of strings, the first of them "apiclient"`,
		Types:    []string{"array"},
		Examples: []string{`["apiclient", "set", "motd=hello"]`},
	}
}
