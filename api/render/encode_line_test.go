package render

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// A lineFormat is an encoder with a reader of the place it is for. The readers
// are written after the manual pages, not after the encoders.
type lineFormat struct {
	name    string
	encode  func(v any) (encoded, error)
	read    func(text string) (value string, rest string)
	accepts string // a text with whatever is special and can still be written
}

var lineFormats = []lineFormat{
	{"systemd", systemd, func(text string) (string, string) { w, rest := unitWordOf(text); return specifiers(w), rest }, "a b\t\n\"'\\%h$x;#ü"},
	{"systemdexec", systemdExec, func(text string) (string, string) { w, rest := unitWordOf(text); return variables(specifiers(w)), rest }, "a b\t\n\"'\\%h$x;#ü"},
	{"systemdvalue", systemdValue, func(text string) (string, string) {
		l, rest, _ := strings.Cut(text, "\n")
		if strings.HasSuffix(l, `\`) {
			return "", text // goes on in the next line
		}
		return specifiers(strings.TrimSpace(l)), rest
	}, `a b"'\%h$x;#ü`},
	{"systemdenv", environment, environmentValue, "a b\t\n\"'\\%h$x`;#ü"},
	{"shell", environment, shellWord, "a b\t\n\"'\\%h$x`;#ü"},
	{"ini", ini, func(text string) (string, string) {
		l, rest, _ := strings.Cut(text, "\n")
		for i := range l {
			if (l[i] == '#' || l[i] == ';') && (i == 0 || l[i-1] == ' ' || l[i-1] == '\t') {
				l = l[:i]
				break
			}
		}
		return strings.Trim(l, " \t"), rest
	}, `a b"'\%h$x;#ü`},
	{"line", line, func(text string) (string, string) { l, rest, _ := strings.Cut(text, "\n"); return l, rest }, " a\tb\"'\\%h$x;#ü "},
	{"word", word, func(text string) (string, string) {
		w, rest, _ := strings.Cut(text, "\n")
		if len(strings.Fields(w)) != 1 {
			return "", text
		}
		return w, rest
	}, `a%h$x;ü`},
}

// unitWordOf takes the first word off a value in a unit file: quoting and
// C-style escapes of systemd.syntax(7). The line ends at a line feed or a
// carriage return, within quotes or not.
func unitWordOf(text string) (word, rest string) {
	end := strings.IndexAny(text, "\n\r")
	if end < 0 {
		end = len(text)
	}
	l, rest := text[:end], strings.TrimPrefix(text[end:], "\n")
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(l); i++ {
		c := l[i]
		switch {
		case c == '\\' && i+1 < len(l):
			i++
			plain, ok := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 's': " ", '\\': "\\", '"': `"`, '\'': "'"}[l[i]]
			if !ok {
				return "an escape that this reader does not know", text
			}
			b.WriteString(plain)
		case quote == 0 && (c == '"' || c == '\'') && b.Len() == 0:
			quote = c
		case quote != 0 && c == quote:
			return b.String(), strings.TrimPrefix(l[i+1:], " ") + rest
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), l[i+1:] + rest
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), rest
}

// specifiers expands the specifiers of systemd.unit(5): only %% is expected.
func specifiers(s string) string {
	out := strings.ReplaceAll(s, "%%", "\x00")
	if strings.Contains(out, "%") {
		return "a specifier in " + s
	}
	return strings.ReplaceAll(out, "\x00", "%")
}

// variables replaces variables as a command line of systemd.service(5) does:
// only $$ is expected.
func variables(s string) string {
	out := strings.ReplaceAll(s, "$$", "\x00")
	if strings.Contains(out, "$") {
		return "a variable in " + s
	}
	return strings.ReplaceAll(out, "\x00", "$")
}

// environmentValue reads a value in double quotes as systemd.exec(5) describes
// for EnvironmentFile=: a backslash makes the following one of "\`$ literal,
// joins lines, and stands for itself elsewhere.
func environmentValue(text string) (value, rest string) {
	return doubleQuoted(text, "\"\\`$", true)
}

// shellWord reads a word in double quotes as POSIX describes for the shell,
// where $ and ` without a backslash are more than themselves.
func shellWord(text string) (value, rest string) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '$', '`':
			return "an expansion", text
		case '"':
			return doubleQuoted(text, "\"\\`$", true)
		}
	}
	return "a quote that is not closed", text
}

func doubleQuoted(text, special string, join bool) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		return "", text
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), strings.TrimPrefix(text[i+1:], "\n")
		case c != '\\' || i+1 == len(text):
			b.WriteByte(c)
		case strings.IndexByte(special, text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case join && text[i+1] == '\n':
			i++
		default:
			b.WriteByte(c)
		}
	}
	return "a quote that is not closed", text
}

// What is accepted is read back the same, and what follows is read as what
// follows.
func checkLine(t *testing.T, s string) {
	t.Helper()
	const next = "NEXT=1\n"
	for _, f := range lineFormats {
		text, err := f.encode(s)
		if err != nil {
			continue
		}
		got, rest := f.read(string(text) + "\n" + next)
		if got != s || rest != next {
			t.Errorf("%s of %q gives %q, which is read as %q before %q", f.name, s, text, got, rest)
		}
	}
}

func TestLineEncoders(t *testing.T) {
	for _, s := range awkward {
		checkLine(t, s)
	}
	for _, f := range lineFormats {
		if text, err := f.encode(f.accepts); err != nil {
			t.Errorf("%s of %q = %q, error %v, want it to be accepted", f.name, f.accepts, text, err)
		}
		checkLine(t, f.accepts)
	}
}

func FuzzLineEncoders(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkLine(t, s)
		if e, err := content(s); err != nil || string(e) != s {
			t.Errorf("content of %q = %q, error %v", s, e, err)
		}
		if !utf8.ValidString(s) {
			return
		}
		for _, f := range lineFormats {
			if text, err := f.encode(s); err == nil && strings.ContainsAny(string(text), "\r\x00") {
				t.Errorf("%s of %q = %q, which has the end of a line or of a text in it", f.name, s, text)
			}
		}
	})
}

func TestLineEncodersRefuse(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]string
	}{
		{"line feed", "a\nb", map[string]string{
			"systemdvalue": `text "a\nb" has U+000A, which a line cannot hold`, "ini": `text "a\nb" has U+000A, which a line cannot hold`,
			"line": `text "a\nb" has U+000A, which a line cannot hold`, "word": `text "a\nb" has U+000A, which a word cannot hold`,
		}},
		{"carriage return", "\r", map[string]string{
			"systemd": `text "\r" has U+000D, which a unit file cannot hold`, "systemdexec": `text "\r" has U+000D, which a unit file cannot hold`,
			"systemdvalue": `text "\r" has U+000D, which a line cannot hold`, "systemdenv": `text "\r" has U+000D, which the environment cannot hold`,
			"shell": `text "\r" has U+000D, which the environment cannot hold`, "ini": `text "\r" has U+000D, which a line cannot hold`,
			"line": `text "\r" has U+000D, which a line cannot hold`, "word": `text "\r" has U+000D, which a word cannot hold`,
		}},
		{"blank at the end", "a ", map[string]string{
			"systemdvalue": `text "a " starts or ends with a blank`, "ini": `text "a " starts or ends with a blank`, "word": `text "a " has U+0020, which a word cannot hold`,
		}},
		{"backslash at the end", `a\`, map[string]string{
			"systemdvalue": `text "a\\" ends with a backslash`, "ini": `text "a\\" ends with a backslash`, "word": `text "a\\" has U+005C, which a word cannot hold`,
		}},
		{"comment", "a #b", map[string]string{"ini": `text "a #b" has a comment in it`, "word": `text "a #b" has U+0020, which a word cannot hold`}},
		{"quote", `"a"`, map[string]string{"ini": `text "\"a\"" starts with a quote`, "word": `text "\"a\"" has U+0022, which a word cannot hold`}},
		{"empty", "", map[string]string{"word": "the word is empty"}},
		{"comment of chrony", "!a", map[string]string{"word": `text "!a" starts like a comment`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]string{}
			for _, f := range lineFormats {
				if _, err := f.encode(tt.in); err != nil {
					got[f.name] = err.Error()
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("encoders that refuse %q (-want +got):\n%s", tt.in, diff)
			}
		})
	}
	for _, v := range []any{nil, []any{"a"}, map[string]any{}, 1.5, encoded("x")} {
		for _, f := range lineFormats {
			if got, err := f.encode(v); err == nil {
				t.Errorf("%s of %v = %q, want an error", f.name, v, got)
			}
		}
	}
}
