package containerregistry_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/settings/containerregistry"
)

func TestParseName(t *testing.T) {
	valuetest.Texts(t, containerregistry.ParseName, []valuetest.Text{
		{Name: "host", In: "docker.io"},
		{Name: "host and port", In: "Registry_1.example.org:5000"},
		{Name: "IPv4 address", In: "192.0.2.1:5000"},
		{Name: "IPv6 address", In: "[2001:db8::1]"},
		{Name: "IPv6 address and port", In: "[2001:db8::1]:5000"},
		{Name: "all", In: "*"},
		{Name: "none", In: ""},
		{Name: "longest", In: strings.Repeat("a", 200)},
		{Name: "too long", In: strings.Repeat("a", 201), Want: `registry "` + strings.Repeat("a", 80) + `" has 201 bytes, want at most 200`},
		{Name: "URL", In: "https://docker.io", Want: `registry "https://docker.io" has a scheme, want the host as it stands in image names`},
		{Name: "path", In: "docker.io/library", Want: `registry "docker.io/library" has a path, want the host as it stands in image names`},
		{Name: "parent directory", In: "..", Want: `registry ".." starts with '.'`},
		{Name: "wildcard", In: "*.example.org", Want: `registry "*.example.org" holds something other than ASCII letters, digits and . _ - in its host`},
		{Name: "space", In: "docker io", Want: `registry "docker io" holds something other than ASCII letters, digits and . _ - in its host`},
		{Name: "line feed", In: "a\nb", Want: `registry "a\nb" holds something other than ASCII letters, digits and . _ - in its host`},
		{Name: "the directory for all", In: "_default", Want: `registry "_default" starts with '_'`},
		{Name: "port alone", In: ":5000", Want: `registry ":5000" has no host`},
		{Name: "no port", In: "docker.io:", Want: `registry "docker.io:" has the port "", want 1 to 65535`},
		{Name: "port 0", In: "docker.io:0", Want: `registry "docker.io:0" has the port "0", want 1 to 65535`},
		{Name: "port too large", In: "docker.io:65536", Want: `registry "docker.io:65536" has the port "65536", want 1 to 65535`},
		{Name: "open bracket", In: "[::1", Want: `registry "[::1" has brackets without an IPv6 address in them`},
		{Name: "name in brackets", In: "[docker.io]", Want: `registry "[docker.io]" has brackets without an IPv6 address in them`},
	})
}

func TestParseEndpoint(t *testing.T) {
	tests := []struct{ name, in, want, err string }{
		{name: "URL", in: "https://mirror.example.org/docker", want: "https://mirror.example.org/docker"},
		{name: "plain HTTP", in: "http://mirror.example.org:5000", want: "http://mirror.example.org:5000/"},
		{name: "name", in: "mirror.example.org", want: "http://mirror.example.org/"},
		{name: "name and port", in: "mirror.example.org:5000", want: "mirror.example.org:5000"},
		{name: "name that begins like a scheme", in: "httpd.example.org:5000/v2", want: "httpd.example.org:5000/v2"},
		{name: "address and port", in: "192.0.2.1:5000", want: "http://192.0.2.1:5000/"},
		{name: "IPv6 address", in: "https://[2001:db8::1]:5000", want: "https://[2001:db8::1]:5000/"},
		{name: "empty", err: `address of a mirror: URL is empty`},
		{name: "another scheme", in: "ftp://mirror.example.org", err: `address of a mirror: "ftp://mirror.example.org" has the scheme ftp, want http or https`},
		{name: "no host", in: "mailto:someone", err: `address of a mirror: "mailto:someone" is neither a URL nor a host with a port`},
		{name: "port left out", in: "mirror:/path", want: "mirror:/path"},
		{name: "escape that is none", in: "https://mirror.example.org/%zz", err: `address of a mirror: "https://mirror.example.org/%zz" is neither a URL nor a host with a port`},
		{name: "line feed", in: "https://a\n", err: `address of a mirror: URL "https://a\n": byte 10 is the control character U+000A`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := containerregistry.ParseEndpoint(tt.in)
			if diff := cmp.Diff([]string{tt.want, tt.err}, []string{got.String(), valuetest.ErrorText(err)}); diff != "" {
				t.Errorf("ParseEndpoint(%q): value and error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
	for _, s := range (containerregistry.Endpoint{}).Rule().Examples {
		valuetest.PrintsAs(t, *valuetest.Parse[containerregistry.Endpoint](t, s), s)
	}
}

// A name is a part of a path that stays in its directory.
func FuzzName(f *testing.F) {
	for _, s := range []string{"docker.io", "*", "..", "a/b", "[::1]:1", "_default"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := containerregistry.ParseName(s)
		if err != nil {
			return
		}
		valuetest.PrintsAs(t, v, s)
		if s != "" && (path.Join("/certs.d", s) != "/certs.d/"+s || strings.ContainsAny(s, "/ \n\"'\\")) {
			t.Errorf("ParseName(%q) accepts what is no part of a path", s)
		}
	})
}

// An address has a host, with https:// where it has no scheme.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"https://a/b", "a:1", "a:/b", "http:a", "mailto:a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := containerregistry.ParseEndpoint(s)
		if err != nil {
			return
		}
		text := v.String()
		if again, err := containerregistry.ParseEndpoint(text); err != nil || again != v {
			t.Errorf("ParseEndpoint(%q), of %q, = %q, %v, want it unchanged", text, s, again, err)
		}
		if !strings.Contains(text, "://") {
			text = "https://" + text
		}
		if u, err := url.Parse(text); err != nil || u.Hostname() == "" {
			t.Errorf("ParseEndpoint(%q) = %q, which is no address", s, text)
		}
	})
}
