package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted writes s between double quotes with the escapes that JSON, TOML and
// YAML have in common. What is no line to one of them, or is invisible, comes
// out escaped.
func quoted(dst []byte, s string) []byte {
	const escapes = "\"\"\\\\\bb\ff\nn\rr\tt" // each character before what stands for it
	dst = append(dst, '"')
	for _, r := range s {
		switch i := strings.IndexRune(escapes, r); {
		case r < utf8.RuneSelf && i >= 0 && i%2 == 0:
			dst = append(dst, '\\', escapes[i+1])
		case r < 0x20, 0x7f <= r && r < 0xa0, r == 0xad, 0x200b <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202e,
			0x2066 <= r && r <= 0x2069, r == 0xfeff, r == 0xfffe, r == 0xffff:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// float writes f so that it is read as a float again by all three.
func float(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if mantissa, exponent, ok := strings.Cut(s, "e"); ok && !strings.Contains(mantissa, ".") {
		s = mantissa + ".0e" + exponent
	}
	return append(dst, s...)
}

// scalar writes a value that is neither list nor table.
func scalar(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return quoted(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64:
		return float(dst, v)
	}
	panic(fmt.Sprintf("render: %T is not a scalar", v)) // normal lets nothing else through
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func toml(v any) (encoded, error) {
	n, err := normal(v)
	if err != nil {
		return "", err
	}
	b, err := appendTOML(nil, n)
	return encoded(b), err
}

func tomlKey(s any) (encoded, error) {
	text, err := single(s)
	if err != nil {
		return "", err
	}
	return encoded(appendTOMLKey(nil, text)), nil
}

func appendTOMLKey(dst []byte, s string) []byte {
	if bareKey.MatchString(s) {
		return append(dst, s...)
	}
	return quoted(dst, s)
}

func appendTOML(dst []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			if dst, err = appendTOML(dst, item); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		if len(v) == 0 {
			return append(dst, "{}"...), nil
		}
		separator := "{ "
		for _, name := range names(v) {
			dst = append(dst, separator...)
			separator = ", "
			dst = append(appendTOMLKey(dst, name), " = "...)
			if dst, err = appendTOML(dst, v[name]); err != nil {
				return nil, err
			}
		}
		return append(dst, " }"...), nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("%d is more than TOML can hold", v)
		}
	}
	return scalar(dst, v), nil
}

// jsonText encodes json V and json N V.
func jsonText(args ...any) (encoded, error) {
	indent, v, err := indented("json", args)
	if err != nil {
		return "", err
	}
	b := appendJSON(nil, v)
	if indent < 0 {
		return encoded(b), nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, strings.Repeat(" ", indent), "  "); err != nil {
		return "", err
	}
	return encoded(out.String()), nil
}

// indented takes the arguments of yaml and json apart; indent is -1 when there
// is none.
func indented(name string, args []any) (indent int, v any, err error) {
	const most = 64
	indent = -1
	switch len(args) {
	case 1:
	case 2:
		n, ok := args[0].(int)
		if !ok || n < 0 || n > most {
			return 0, nil, fmt.Errorf("%s: want an indentation from 0 to %d, got %v", name, most, args[0])
		}
		indent = n
	default:
		return 0, nil, fmt.Errorf("%s: want a value, perhaps with an indentation before it, got %d arguments", name, len(args))
	}
	v, err = normal(args[len(args)-1])
	return indent, v, err
}

func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range names(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(quoted(dst, name), ':')
			dst = appendJSON(dst, v[name])
		}
		return append(dst, '}')
	}
	return scalar(dst, v)
}

// yaml encodes yaml V and yaml N V.
func yaml(args ...any) (encoded, error) {
	indent, v, err := indented("yaml", args)
	if err == nil {
		err = yamlKeys(v)
	}
	if err != nil {
		return "", err
	}
	if indent < 0 {
		return encoded(appendFlow(nil, v)), nil
	}
	return encoded(appendBlock(nil, v, indent)), nil
}

// yamlKeys refuses names that YAML takes only in a form of their own: the colon
// must stand within 1024 characters.
func yamlKeys(v any) error {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := yamlKeys(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range names(v) {
			if len(quoted(nil, name)) > 1000 {
				return unfit(name, "name %s is longer than YAML takes")
			}
			if err := yamlKeys(v[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendFlow is appendJSON with blanks, which YAML wants behind a colon.
func appendFlow(dst []byte, v any) []byte {
	switch v := v.(type) {
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendFlow(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, name := range names(v) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(quoted(dst, name), ": "...)
			dst = appendFlow(dst, v[name])
		}
		return append(dst, '}')
	}
	return scalar(dst, v)
}

// appendBlock writes v with its first line where the cursor is, in column
// indent, and the others indented by as much.
func appendBlock(dst []byte, v any, indent int) []byte {
	line := func(i int) {
		if i > 0 {
			dst = append(dst, '\n')
			dst = append(dst, bytes.Repeat([]byte{' '}, indent)...)
		}
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			line(i)
			dst = appendBlock(append(dst, "- "...), item, indent+2)
		}
		if len(v) > 0 {
			return dst
		}
	case map[string]any:
		for i, name := range names(v) {
			line(i)
			dst = append(appendYAMLKey(dst, name), ':')
			if hasLines(v[name]) {
				dst = append(dst, '\n')
				dst = append(dst, bytes.Repeat([]byte{' '}, indent+2)...)
			} else {
				dst = append(dst, ' ')
			}
			dst = appendBlock(dst, v[name], indent+2)
		}
		if len(v) > 0 {
			return dst
		}
	}
	return appendFlow(dst, v)
}

// hasLines reports whether v has lines of its own in block form.
func hasLines(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

var plainKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// notText are the words that some reader of YAML takes for something else.
var notText = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

func appendYAMLKey(dst []byte, s string) []byte {
	if plainKey.MatchString(s) && !slices.Contains(notText, strings.ToLower(s)) {
		return append(dst, s...)
	}
	return quoted(dst, s)
}
