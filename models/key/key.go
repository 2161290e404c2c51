// Package key holds the names of settings.
//
// A key is a list of segments. Its text joins them with dots and puts a
// segment that holds a dot in double quotes:
//
//	settings.kubernetes.node-labels."example.org/zone"
//
// The grammar is that of api.md 11.1: a segment is made of ASCII letters,
// digits, "_", "-" and "/", inside quotes also of dots; the text has at most
// 255 bytes.
package key

import (
	"fmt"
	"strings"
)

// MaxLength is the greatest number of bytes in the text of a key, the leading
// "settings." included.
const MaxLength = 255

// Root is the first segment of the text of every key.
const Root = "settings"

// A Key names one setting or one table of settings, seen from "settings" on.
// Keys are comparable. The zero Key is the root: all settings.
type Key struct {
	s string // segments joined by sep
}

// sep sorts before every byte a segment may hold, so that comparing the joined
// form compares segment by segment and a table stands before its content.
const sep = "\x00"

// Of returns the key made of segments, which must be valid segments (see
// ValidSegment).
func Of(segments ...string) Key { return Key{strings.Join(segments, sep)} }

// Parse reads the text of a key. The leading "settings." may be left out.
func Parse(text string) (Key, error) {
	if text == "" {
		return Key{}, fmt.Errorf("key is empty, want a name such as settings.motd")
	}
	if len(text) > MaxLength {
		return Key{}, fmt.Errorf("key %.32q… has %d bytes, want at most %d", text, len(text), MaxLength)
	}
	segments, err := split(text)
	if err != nil {
		return Key{}, fmt.Errorf("key %q: %w", text, err)
	}
	if segments[0] == Root {
		segments = segments[1:]
	}
	k := Of(segments...)
	if n := k.TextLen(); n > MaxLength {
		return Key{}, fmt.Errorf("key %.32q… has %d bytes with its root, want at most %d", text, n, MaxLength)
	}
	return k, nil
}

func split(text string) ([]string, error) {
	var segments []string
	var seg []byte
	quoted := false
	end := func() error {
		if len(seg) == 0 {
			return fmt.Errorf("segment %d is empty", len(segments)+1)
		}
		segments = append(segments, string(seg))
		seg = seg[:0]
		return nil
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			if err := end(); err != nil {
				return nil, err
			}
		case c == '.' || keyChar(c):
			seg = append(seg, c)
		default:
			return nil, fmt.Errorf("character %q at byte %d is not allowed, want letters, digits, _ - / and, in double quotes, dots", rune(c), i+1)
		}
	}
	if quoted {
		return nil, fmt.Errorf("a double quote is not closed")
	}
	if err := end(); err != nil {
		return nil, err
	}
	return segments, nil
}

func keyChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '/'
}

// ValidSegment returns an error unless s can be a segment of a key.
func ValidSegment(s string) error {
	if s == "" {
		return fmt.Errorf("is empty")
	}
	for i := range len(s) {
		if c := s[i]; c != '.' && !keyChar(c) {
			return fmt.Errorf("holds %q, want letters, digits and . _ - /", rune(c))
		}
	}
	return nil
}

// String returns the canonical text of k, which quotes exactly the segments
// that hold a dot.
func (k Key) String() string {
	var b strings.Builder
	b.Grow(len(Root) + 3 + len(k.s))
	b.WriteString(Root)
	for seg := range k.Segments() {
		b.WriteByte('.')
		if strings.IndexByte(seg, '.') >= 0 {
			b.WriteString(`"` + seg + `"`)
		} else {
			b.WriteString(seg)
		}
	}
	return b.String()
}

// TextLen returns the number of bytes in the text of k.
func (k Key) TextLen() int {
	n := len(Root)
	for seg := range k.Segments() {
		n += 1 + len(seg)
		if strings.IndexByte(seg, '.') >= 0 {
			n += 2
		}
	}
	return n
}

// MarshalText returns the canonical text.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text of a key.
func (k *Key) UnmarshalText(b []byte) (err error) {
	*k, err = Parse(string(b))
	return err
}

// IsRoot reports whether k is the key of all settings.
func (k Key) IsRoot() bool { return k.s == "" }

// Segments yields the segments after the root.
func (k Key) Segments() func(yield func(string) bool) {
	if k.s == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(k.s, sep)
}

// Len returns the number of segments after the root.
func (k Key) Len() int {
	if k.s == "" {
		return 0
	}
	return strings.Count(k.s, sep) + 1
}

// Child returns the key of the member called segment.
func (k Key) Child(segment string) Key {
	if k.s == "" {
		return Key{segment}
	}
	return Key{k.s + sep + segment}
}

// Cut returns the first segment and the key of the rest.
func (k Key) Cut() (first string, rest Key) {
	first, r, _ := strings.Cut(k.s, sep)
	return first, Key{r}
}

// Parent returns the key without its last segment; the root is its own parent.
func (k Key) Parent() Key {
	i := strings.LastIndex(k.s, sep)
	if i < 0 {
		return Key{}
	}
	return Key{k.s[:i]}
}

// Last returns the last segment, or "" for the root.
func (k Key) Last() string { return k.s[strings.LastIndex(k.s, sep)+1:] }

// Under reports whether k is p or lies below it.
func (k Key) Under(p Key) bool {
	return p.s == "" || k.s == p.s || len(k.s) > len(p.s) && k.s[:len(p.s)] == p.s && k.s[len(p.s)] == sep[0]
}

// Compare orders keys segment by segment; a table stands before its content.
func (k Key) Compare(o Key) int { return strings.Compare(k.s, o.s) }
