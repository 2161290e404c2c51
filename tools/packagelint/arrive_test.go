package packagelint_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/syntax"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

// nasty is the text that the documents nasty and nasty-ecs set wherever text is
// free. It has no line breaks: settings of one line refuse them.
const nasty = "q\"uo'te %h %% $HOME ${HOME} $(reboot) `reboot` {{ .key }} \\n \\ # ; = [x] é 日本 🚀"

// What is written into a file is what a parser of its format reads from it,
// whatever it holds.
func TestNastyTextArrives(t *testing.T) {
	all := load(t)
	tests := []struct{ variant, document string }{{"metal-k8s-1.36", "nasty"}, {"aws-ecs-2", "nasty-ecs"}}
	for _, tt := range tests {
		t.Run(tt.document, func(t *testing.T) {
			i := slices.IndexFunc(all, func(c packagelint.Composition) bool { return c.Name == tt.variant })
			for _, f := range rendered(t, all[i], tt.document) {
				if f.Path == "/etc/motd" || !strings.Contains(string(f.Content), "(reboot)") {
					continue
				}
				texts, err := textsIn(f)
				if err != nil {
					t.Errorf("%s: %v", f.Path, err)
				}
				for _, text := range texts {
					if strings.Contains(text, "(reboot)") && !strings.Contains(text, nasty) {
						t.Errorf("%s holds %q, want %q in it", f.Path, text, nasty)
					}
				}
				arrives := func(text string) bool { return strings.Contains(text, nasty) }
				if !slices.ContainsFunc(texts, arrives) {
					t.Errorf("%s: no value holds %q:\n%s", f.Path, nasty, f.Content)
				}
			}
		})
	}
}

// textsIn returns the texts that a parser reads from f.
func textsIn(f plan.File) ([]string, error) {
	switch filepath.Ext(f.Path) {
	case ".json":
		n, rep := syntax.JSON(f.Content, syntax.DefaultLimits)
		return nodeTexts(n), rep.Err()
	case ".toml":
		n, rep := syntax.TOML(f.Content, syntax.DefaultLimits)
		return nodeTexts(n), rep.Err()
	case ".yaml", "":
		var v any
		err := yaml.Unmarshal(f.Content, &v)
		return valueTexts(v), err
	case ".env":
		return environmentTexts(string(f.Content))
	case ".conf": // a line of sysctl.d or modprobe.d: the rest of it as it is
		return strings.Split(string(f.Content), "\n"), nil
	}
	return nil, fmt.Errorf("has no parser here")
}

func nodeTexts(n *syntax.Node) []string {
	if n == nil {
		return nil
	}
	out := []string{n.Text}
	for _, f := range n.Fields {
		out = append(append(out, f.Name), nodeTexts(f.Value)...)
	}
	for _, item := range n.Items {
		out = append(out, nodeTexts(item)...)
	}
	return out
}

func valueTexts(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, item := range v {
			out = append(out, valueTexts(item)...)
		}
	case map[string]any:
		for name, member := range v {
			out = append(append(out, name), valueTexts(member)...)
		}
	}
	return out
}

// environmentTexts reads an environment file as systemd does, as far as values
// stand in double quotes. A value that is JSON is read, too.
func environmentTexts(text string) ([]string, error) {
	var out []string
	for line := range strings.Lines(text) {
		_, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if strings.HasPrefix(line, "#") || !strings.HasPrefix(value, `"`) {
			continue
		}
		plain, err := unquoted(value)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		if n, rep := syntax.JSON([]byte(plain), syntax.DefaultLimits); rep.Err() == nil {
			out = append(out, nodeTexts(n)...)
			continue
		}
		out = append(out, plain)
	}
	return out, nil
}

// unquoted takes a text out of double quotes, in which a backslash quotes the
// four characters that have a meaning there.
func unquoted(text string) (string, error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && i == len(text)-1:
			return b.String(), nil
		case c == '"':
			return "", fmt.Errorf("the quotes end before the line")
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\`$", text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the quotes do not end")
}
