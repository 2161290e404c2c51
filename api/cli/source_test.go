package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseReference(t *testing.T) {
	tests := []struct {
		name, in string
		want     reference
		err      string
	}{
		{"standard input", "-", reference{"-", "stdin", ""}, ""},
		{"path", "a/b.toml", reference{"file", "a/b.toml", "a/b.toml"}, ""},
		{"path with a colon", "./a:b", reference{"file", "./a:b", "./a:b"}, ""},
		{"colon first", ":x", reference{"file", ":x", ":x"}, ""},
		{"file", "file:///a/b%20c.toml", reference{"file", "/a/b c.toml", "/a/b c.toml"}, ""},
		{"file of this machine", "FILE://localhost/a", reference{"file", "/a", "/a"}, ""},
		{"relative file", "file:a%2Fb", reference{"file", "a/b", "a/b"}, ""},
		{"inline", "base64:" + strings.Repeat("A", 20), reference{"base64", "base64:AAAAAAAAAAAAAAAA… (20 bytes)", strings.Repeat("A", 20)}, ""},
		{"web", "https://u:p@example.org/x", reference{"https", "https://u:xxxxx@example.org/x", "https://u:p@example.org/x"}, ""},
		{"empty", "", reference{}, "a FILE has an empty name"},
		{"other machine", "file://host/a", reference{}, `"file://host/a" does not name a file of this machine`},
		{"no path", "file:", reference{}, `"file:" does not name a file of this machine`},
		{"no host", "http:///x", reference{}, `"http:///x" is not a URL`},
		{"bucket", "s3://b/k", reference{}, `"s3://b/k": nothing here reads s3: URIs`},
		{"resource name", "arn:aws:ssm:x", reference{}, `"arn:aws:ssm:x": nothing here reads arn: URIs`},
		{"unknown", "a:b", reference{}, `"a:b": nothing here reads a: URIs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseReference(tt.in)
			if err != nil {
				got = reference{}
				if ExitCode(err) != 2 {
					t.Errorf("parseReference(%q): exit status %d, want 2", tt.in, ExitCode(err))
				}
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(reference{})); diff != "" {
				t.Errorf("parseReference(%q) (-want +got):\n%s", tt.in, diff)
			}
			if diff := cmp.Diff(tt.err, text(err)); diff != "" {
				t.Errorf("parseReference(%q): error (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What is accepted has a scheme that something reads, and a name that is one
// line and tells no password.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"-", "a", "file:///a", "base64:AA==", "http://u:secret@h/", "s3://x", "%:", "file:%00", "HTTPS://[::1]/\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		ref, err := parseReference(in)
		if err != nil {
			if ExitCode(err) != 2 {
				t.Errorf("parseReference(%q): %v has exit status %d, want 2", in, err, ExitCode(err))
			}
			return
		}
		switch ref.scheme {
		case "-", "base64", "http", "https":
		case "file":
			if ref.where == "" {
				t.Errorf("parseReference(%q) = %+v, want a path", in, ref)
			}
		default:
			t.Errorf("parseReference(%q) has scheme %q", in, ref.scheme)
		}
		if ref.name == "" || strings.ContainsAny(ref.name, "\n\x1b") {
			t.Errorf("parseReference(%q) = %+v, want a name on one line", in, ref)
		}
	})
}

func TestReadSources(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "")
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/ok":
			fmt.Fprint(w, "from the web")
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", maxRemote+1))
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "long")
	if err := os.WriteFile(long, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, maxLocal+1); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want []string
		err  string
	}{
		{"in their order", []string{web.URL + "/moved", "-", file, "base64:eA==", web.URL + "/ok"}, []string{"from the web", "typed", "from a file", "x", "from the web"}, ""},
		{"nobody there", []string{web.URL + "/no"}, nil, "read " + web.URL + "/no: the server answers 404 Not Found"},
		{"all faults", []string{dir + "/a", web.URL + "/ok", dir + "/b"}, nil, "read " + dir + "/a: no such file or directory\nread " + dir + "/b: no such file or directory"},
		{"too long from the web", []string{web.URL + "/long"}, nil, "read " + web.URL + "/long: the document is longer than 2 MiB"},
		{"too long from a file", []string{long}, nil, "read " + long + ": the document is longer than 8 MiB"},
		{"a directory", []string{dir}, nil, "read " + dir + ": is a directory"},
		{"line break", []string{"base64:eA==\n"}, nil, `read base64:"eA==\n": illegal line break in base64 data`},
		{"many", []string{web.URL + "/ok", web.URL + "/ok", web.URL + "/ok", web.URL + "/ok", web.URL + "/ok", web.URL + "/ok"}, slicesRepeat("from the web", 6), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources, err := readSources(t.Context(), strings.NewReader("typed"), tt.args)
			if diff := cmp.Diff(tt.err, text(err)); diff != "" {
				t.Errorf("readSources(%q): error (-want +got):\n%s", tt.args, diff)
			}
			if err != nil {
				return
			}
			var got []string
			for _, s := range sources {
				got = append(got, string(s.data))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("readSources(%q) (-want +got):\n%s", tt.args, diff)
			}
		})
	}
}

func slicesRepeat(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}

// A redirect from https to http would give away what TLS protects.
func TestRedirectToPlainHTTP(t *testing.T) {
	secure := httptest.NewTLSServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer secure.Close()
	c := fetcher()
	c.Transport = secure.Client().Transport
	_, err := fetch(t.Context(), c, secure.URL)
	if want := "redirected from https to http"; text(err) != want {
		t.Errorf("fetch: error %v, want %s", err, want)
	}
}

func TestReadSourcesInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := readSources(ctx, nil, []string{"http://127.0.0.1:1/"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("readSources after the end: error %v, want %v", err, context.Canceled)
	}
}
