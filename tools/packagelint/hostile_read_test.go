package packagelint_test

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A fact is what a program reads from a file: a value and where it stands.
// Places in lists are not told apart, so that a value more or less moves no
// others.
type fact struct{ file, at, value string }

// factsIn returns what the program that f is for reads from it, sorted.
func factsIn(f plan.File) ([]fact, error) {
	r := factReader{file: f.Path}
	err := r.read(string(f.Content))
	slices.SortFunc(r.out, compareFacts)
	return r.out, err
}

func compareFacts(a, b fact) int {
	return strings.Compare(a.file+"\n"+a.at+"\n"+a.value, b.file+"\n"+b.at+"\n"+b.value)
}

type factReader struct {
	file string
	out  []fact
}

func (r *factReader) add(at, value string) { r.out = append(r.out, fact{r.file, at, value}) }

// read knows the format by the name of the file. What belongs to users as a
// whole is one value.
func (r *factReader) read(text string) error {
	switch {
	case strings.HasPrefix(r.file, "/etc/kubernetes/static-pods/"), strings.HasSuffix(r.file, "trustpolicy.json"):
		r.add("", text)
		return nil
	case strings.HasPrefix(r.file, "/etc/systemd/"):
		return r.unit(text)
	case strings.HasPrefix(r.file, "/etc/sysctl.d/"):
		return r.sysctl(text)
	}
	switch filepath.Ext(r.file) {
	case ".json":
		n, rep := syntax.JSON([]byte(text), syntax.DefaultLimits)
		r.node("", n)
		return cmp.Or(rep.Err(), r.mirrors())
	case ".toml":
		n, rep := syntax.TOML([]byte(text), syntax.DefaultLimits)
		r.node("", n)
		return rep.Err()
	case ".yaml":
		return r.yaml(text)
	case ".env":
		return r.environment(text)
	case ".conf":
		r.words(text, "#!;%") // those that chronyd takes for comments; kmod and systemd know two of them
		return nil
	}
	switch filepath.Base(r.file) {
	case "hosts", "hostname":
		r.words(text, "#")
	case "kubeconfig", "bootstrap-kubeconfig":
		return r.yaml(text)
	default:
		r.add("", text)
	}
	return nil
}

func (r *factReader) node(at string, n *syntax.Node) {
	switch {
	case n == nil:
	case n.Kind == syntax.Table:
		r.add(at, "table")
		for _, f := range n.Fields {
			r.node(at+"."+f.Name, f.Value)
		}
	case n.Kind == syntax.Array:
		r.add(at, "list")
		for _, item := range n.Items {
			r.node(at+"[]", item)
		}
	default:
		r.add(at, n.Text)
	}
}

// mirrors refuses addresses with which dockerd does not start.
func (r *factReader) mirrors() error {
	for _, f := range r.out {
		if f.file != "/etc/docker/daemon.json" || f.at != ".registry-mirrors[]" {
			continue
		}
		u, err := url.Parse(f.value)
		switch {
		case err != nil:
			return err
		case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.RawQuery != "", u.Fragment != "", u.User != nil:
			return fmt.Errorf("mirror %q is not for dockerd", f.value)
		}
	}
	return nil
}

func (r *factReader) yaml(text string) error {
	if err := wellFormedYAML([]byte(text)); err != nil {
		return err
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	r.any("", v)
	return nil
}

func (r *factReader) any(at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		r.add(at, "table")
		for name, member := range v {
			r.any(at+"."+name, member)
		}
	case []any:
		r.add(at, "list")
		for _, item := range v {
			r.any(at+"[]", item)
		}
	default:
		r.add(at, fmt.Sprint(v))
	}
}

// words reads lines of words. A line that ends with a backslash goes on.
func (r *factReader) words(text, comments string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimLeft(line, " \t")
		if line != "" && !strings.Contains(comments, line[:1]) {
			r.add("", strings.Join(strings.FieldsFunc(line, isBlank), " "))
		}
	}
}

func isBlank(c rune) bool { return strings.ContainsRune(" \t\r\v\f", c) }

func (r *factReader) sysctl(text string) error {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Trim(line, " \t\r")
		if line == "" || strings.ContainsAny(line[:1], "#;") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("line %q assigns nothing", line)
		}
		r.add(strings.TrimRight(name, " \t"), strings.Trim(value, " \t\r"))
	}
	return nil
}

// unit reads a file in the form of systemd's. Command lines become words.
func (r *factReader) unit(text string) error {
	section := ""
	for line := range strings.SplitSeq(joinLines(text), "\n") {
		line = strings.Trim(line, " \t\r")
		switch {
		case line == "" || strings.ContainsAny(line[:1], "#;"):
		case line[0] == '[':
			if !strings.HasSuffix(line, "]") {
				return fmt.Errorf("line %q is no section", line)
			}
			section = line
			r.add(section, "section")
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				return fmt.Errorf("line %q assigns nothing", line)
			}
			at, value := section+strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
			if !strings.HasSuffix(at, "ExecStart") {
				r.add(at, value)
				continue
			}
			words, err := commandLine(value)
			if err != nil {
				return err
			}
			for _, w := range words {
				for part := range strings.SplitSeq(w, ",") { // labels are sorted by their names
					r.add(at+"[]", strings.TrimPrefix(part, "--node-labels="))
				}
			}
		}
	}
	return nil
}

// joinLines joins lines that end with a backslash with the next that is no
// comment, as systemd does.
func joinLines(text string) string {
	var b strings.Builder
	open := false
	for line := range strings.SplitSeq(text, "\n") {
		comment := strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") || strings.HasPrefix(strings.TrimLeft(line, " \t"), ";")
		if open && comment {
			continue
		}
		rest, more := strings.CutSuffix(line, `\`)
		b.WriteString(rest)
		if open = more && !comment; open {
			b.WriteByte(' ')
		} else {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// commandLine takes apart what ExecStart= holds. Quotes are known around whole
// words only, as our encoder writes them.
func commandLine(text string) ([]string, error) {
	var out []string
	for text = strings.TrimLeft(text, " \t"); text != ""; text = strings.TrimLeft(text, " \t") {
		raw, rest, err := commandWord(text)
		if err != nil {
			return nil, err
		}
		word, err := expanded(raw)
		if err != nil {
			return nil, err
		}
		out, text = append(out, word), rest
	}
	return out, nil
}

// commandWord cuts the first word off text and takes it out of its quotes.
func commandWord(text string) (word, rest string, err error) {
	if text[0] != '"' {
		end := strings.IndexAny(text, " \t")
		if end < 0 {
			end = len(text)
		}
		if word = text[:end]; strings.ContainsAny(word, `"'\`) {
			return "", "", fmt.Errorf("word %q has quotes in it", word)
		}
		return word, text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if rest = text[i+1:]; rest != "" && !strings.ContainsAny(rest[:1], " \t") {
				return "", "", fmt.Errorf("the quotes in %q end within a word", text)
			}
			return b.String(), rest, nil
		case c == '\\' && i+1 < len(text):
			i++
			plain := strings.IndexByte(`\"nt`, text[i])
			if plain < 0 {
				return "", "", fmt.Errorf("escape \\%c in %q", text[i], text)
			}
			b.WriteByte("\\\"\n\t"[plain])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("the quotes in %q do not end", text)
}

// expanded replaces what systemd does in a command line; our files want nothing
// of it but the characters themselves.
func expanded(word string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if c := word[i]; c == '%' || c == '$' {
			if i++; i == len(word) || word[i] != c {
				return "", fmt.Errorf("word %q expands something", word)
			}
		}
		b.WriteByte(word[i])
	}
	return b.String(), nil
}

// environment reads an EnvironmentFile= as systemd does, with double quotes
// around whole values only. Values that are JSON are taken apart.
func (r *factReader) environment(text string) error {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		if line == "" || strings.ContainsAny(line[:1], "#;") {
			text = rest
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
			return fmt.Errorf("line %q assigns nothing", line)
		}
		if !strings.HasPrefix(value, `"`) {
			value, text, _ = strings.Cut(value, "\n")
			r.add(name, value)
			continue
		}
		plain, after, err := quotedValue(value)
		if err != nil {
			return err
		}
		text = after
		r.variable(name, plain)
	}
	return nil
}

func (r *factReader) variable(name, value string) {
	if strings.HasPrefix(value, "{") || strings.HasPrefix(name, "ECS_AVAILABLE") {
		if n, rep := syntax.JSON([]byte(value), syntax.DefaultLimits); rep.Err() == nil {
			r.node(name, n)
			return
		}
	}
	r.add(name, value)
}

// quotedValue reads a value in double quotes and the end of its line.
func quotedValue(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if rest = text[i+1:]; rest != "" && rest[0] != '\n' {
				return "", "", fmt.Errorf("something follows the quotes in %q", text)
			}
			return b.String(), strings.TrimPrefix(rest, "\n"), nil
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\`$", text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("the quotes in %q do not end", text)
}
