package render

import (
	"strings"
)

var (
	// Specifiers are expanded in nearly every value of a unit file.
	unitEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "%", "%%")
	// A command line replaces variables, too, also between quotes.
	execEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "%", "%%", "$", "$$")
	// These four keep their meaning between double quotes, in a shell and in an
	// EnvironmentFile= of systemd alike. Single quotes would not do: systemd does
	// not know how to get one into them.
	shellEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`)
)

// systemd is one word of a unit file, for settings that split and unquote what
// they get.
func systemd(v any) (encoded, error) { return unitWord(v, unitEscapes) }

// systemdExec is one argument of a command line in a unit file.
func systemdExec(v any) (encoded, error) { return unitWord(v, execEscapes) }

func unitWord(v any, escapes *strings.Replacer) (encoded, error) {
	s, err := single(v)
	if err == nil {
		err = refuse(s, notInEnvironment, "a unit file")
	}
	if err != nil {
		return "", err
	}
	return encoded(`"` + escapes.Replace(s) + `"`), nil
}

// systemdValue is the rest of a line of a unit file, for settings that take
// plain text.
func systemdValue(v any) (encoded, error) {
	s, err := single(v)
	if err == nil {
		err = refuse(s, breaking, "a line")
	}
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(s) != s:
		return "", unfit(s, "text %s starts or ends with a blank")
	case strings.HasSuffix(s, `\`):
		return "", unfit(s, "text %s ends with a backslash")
	}
	return encoded(strings.ReplaceAll(s, "%", "%%")), nil
}

// environment is a value in an EnvironmentFile= or one word of a shell script.
// systemd drops variables with control characters without saying so: they are
// refused here.
func environment(v any) (encoded, error) {
	s, err := single(v)
	if err == nil {
		err = refuse(s, notInEnvironment, "the environment")
	}
	if err != nil {
		return "", err
	}
	return encoded(`"` + shellEscapes.Replace(s) + `"`), nil
}
