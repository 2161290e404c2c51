package scalar_test

import (
	"strings"
	"testing"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

func TestParseURL(t *testing.T) {
	testParse(t, scalar.ParseURL, []parseRow{
		{name: "complete", in: "https://example.org/path?q=1#f"},
		{name: "no path", in: "https://example.org", out: "https://example.org/"},
		{name: "default port and case", in: "HTTPS://Example.ORG:443/a/../b", out: "https://example.org/b"},
		{name: "address and port", in: "1.2.3.4:8080", out: "http://1.2.3.4:8080/"},
		{name: "IPv6 and port", in: "[::1]:8080", out: "http://[::1]:8080/"},
		{name: "address and path", in: "127.0.0.1/path", out: "http://127.0.0.1/path"},
		{name: "bare name", in: "localhost", out: "http://localhost/"},
		{name: "leading dot", in: ".internal", out: "http://.internal/"},
		{name: "name and port is a scheme and a path", in: "localhost:8080"},
		{name: "image reference", in: "registry/image:tag", out: "http://registry/image:tag"},
		{name: "provider id", in: "aws:///us-west-2a/i-0123456789abcdef0"},
		{name: "international name", in: "http://münchen.example/", out: "http://xn--mnchen-3ya.example/"},
		{name: "space in the path", in: "http://example.org/a b", out: "http://example.org/a%20b"},
		{name: "spaces around", in: " http://example.org/ ", out: "http://example.org/"},
		{name: "space in the host is read as a path", in: "http://bad host", out: "http://http//bad%20host"},
		{name: "credentials", in: "http://user:pass@proxy.example:3128/"},
		{name: "line separator in the path", in: "http://example.org/\u2028", out: "http://example.org/%E2%80%A8"},
		{name: "empty", in: "", want: `URL is empty`},
		{name: "prose", in: "how are you", want: `URL "how are you" cannot be parsed, as it is or with http:// in front`},
		{name: "no host", in: "weird@", want: `URL "weird@" cannot be parsed, as it is or with http:// in front`},
		{name: "space only", in: " ", want: `URL " " cannot be parsed, as it is or with http:// in front`},
		{name: "line feed inside", in: "http://exa\nmple.org/", want: `URL "http://exa\nmple.org/": byte 11 is the control character U+000A`},
		{name: "final line feed", in: "http://example.org/\n", want: `URL "http://example.org/\n": byte 20 is the control character U+000A`},
		{name: "C1", in: "http://example.org/\u0085", want: `URL "http://example.org/\u0085": byte 20 is the control character U+0085`},
		{name: "not UTF-8", in: "http://\xff/", want: `URL "http://\xff/": byte 8 is not UTF-8`},
	})
}

func TestURLHost(t *testing.T) {
	for in, want := range map[string]string{
		"https://Example.org:8443/a": "example.org",
		"192.0.2.1:3128":             "192.0.2.1",
		"http://[2001:db8::1]:80":    "2001:db8::1",
		"localhost:8080":             "",
		"aws:///zone/id":             "",
	} {
		u, err := scalar.ParseURL(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Host(); got != want {
			t.Errorf("Host of %q = %q, want %q", in, got, want)
		}
	}
	if got := (scalar.URL{}).Host(); got != "" {
		t.Errorf("Host of the zero URL = %q, want nothing", got)
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"https://example.org/path", "1.2.3.4:8080", "aws:///zone/id", "localhost:8080", "how are you", "a:\t", "file:c|/x",
		"http://[::1]:80/", "web+demo:/.//not-a-host/", "data:text/plain, hi ?x", "x: y #", "http://0x7f.1/", "non-special://h:0/..//p",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkFuzz(t, scalar.ParseURL, s)
		if u, err := scalar.ParseURL(s); err == nil && strings.ContainsAny(u.String(), "\n\r") {
			t.Errorf("ParseURL(%q) = %q, which is more than one line", s, u)
		}
	})
}
