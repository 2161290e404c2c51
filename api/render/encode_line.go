package render

import (
	"fmt"
	"strings"
	"unicode"
)

// breaking reports whether r is a control character, or is taken for the end of
// a line somewhere.
func breaking(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// notInEnvironment reports whether systemd refuses r in a variable.
func notInEnvironment(r rune) bool {
	return (r < 0x20 || r == 0x7f) && r != '\t' && r != '\n'
}

func refuse(s string, bad func(rune) bool, where string) error {
	if i := strings.IndexFunc(s, bad); i >= 0 {
		r := []rune(s[i:])[0]
		return unfit(s, "text %s has %U, which %s cannot hold", r, where)
	}
	return nil
}

// line is text on one line as it is, with its tabs.
func line(v any) (encoded, error) {
	s, err := single(v)
	if err == nil {
		err = refuse(s, func(r rune) bool { return r != '\t' && breaking(r) }, "a line")
	}
	return encoded(s), err
}

// word is one word as it is.
func word(v any) (encoded, error) {
	s, err := single(v)
	if err != nil {
		return "", err
	}
	if s == "" {
		return "", fmt.Errorf("the word is empty")
	}
	if strings.ContainsAny(s[:1], ";!%") {
		return "", unfit(s, "text %s starts like a comment")
	}
	bad := func(r rune) bool { return breaking(r) || unicode.IsSpace(r) || strings.ContainsRune("\"'`\\#", r) }
	return encoded(s), refuse(s, bad, "a word")
}

// ini is a value in an INI file.
func ini(v any) (encoded, error) {
	s, err := single(v)
	if err == nil {
		err = refuse(s, breaking, "a line")
	}
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(s) != s {
		return "", unfit(s, "text %s starts or ends with a blank")
	}
	if s != "" && strings.ContainsAny(s[:1], `"'`) {
		return "", unfit(s, "text %s starts with a quote")
	}
	if strings.HasSuffix(s, `\`) {
		return "", unfit(s, "text %s ends with a backslash")
	}
	for i, r := range s {
		if (r == '#' || r == ';') && (i == 0 || unicode.IsSpace(rune(s[i-1]))) {
			return "", unfit(s, "text %s has a comment in it")
		}
	}
	return encoded(s), nil
}

// content is text as it is.
func content(v any) (encoded, error) {
	switch v := v.(type) {
	case string:
		return encoded(v), nil
	case nil:
		return "", fmt.Errorf("there is no value: use with, have or default")
	}
	return "", fmt.Errorf("want text, got %s", describe(v))
}
