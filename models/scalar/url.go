package scalar

import (
	"fmt"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// A URL is an address in the sense of the WHATWG URL standard, in that
// standard's serialisation. Input without a scheme gets http://, so that
// 1.2.3.4:8080 becomes http://1.2.3.4:8080/.
//
// Text that already is a URL stays one: in localhost:8080, localhost is the
// scheme.
type URL struct{ s string }

// ParseURL returns the URL written as s.
func ParseURL(s string) (URL, error) {
	if s == "" {
		return URL{}, fmt.Errorf("URL is empty")
	}
	// The standard would drop tabs and line breaks in silence.
	if fault := controlFault(s); fault != "" {
		return URL{}, fmt.Errorf("URL %s: %s", quote(s), fault)
	}
	canonical, ok := parseWHATWG(s)
	if !ok {
		canonical, ok = parseWHATWG("http://" + s)
	}
	if !ok {
		return URL{}, fmt.Errorf("URL %s cannot be parsed, as it is or with http:// in front", quote(s))
	}
	return URL{canonical}, nil
}

// parseWHATWG returns the serialisation of s as a URL.
func parseWHATWG(s string) (string, bool) {
	u, err := whatwg.Parse(s)
	if err != nil {
		return "", false
	}
	return u.Href(false), true
}

// Host returns the host without port and brackets, or "" where u has none: in
// localhost:8080 there is only a scheme and a path.
func (u URL) Host() string {
	w, err := whatwg.Parse(u.s)
	if err != nil {
		return "" // the zero URL
	}
	return strings.Trim(w.Hostname(), "[]")
}

// String returns the canonical serialisation.
func (u URL) String() string { return u.s }

// MarshalText returns the canonical serialisation.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.s), nil }

// UnmarshalText reads what ParseURL accepts.
func (u *URL) UnmarshalText(b []byte) (err error) {
	*u, err = ParseURL(string(b))
	return err
}

// Rule describes the type.
func (URL) Rule() Rule {
	return Rule{
		Name:     "URL",
		Want:     "a URL such as https://example.org/path; http:// is put in front where the scheme is missing",
		Pattern:  `^[^\x00-\x1f\x7f-\x9f]+$`,
		Examples: []string{"https://example.org/path", "192.0.2.1:8080"},
	}
}
