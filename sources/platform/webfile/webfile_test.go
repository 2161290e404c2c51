package webfile

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const body = "[settings]\nmotd = \"hi\"\n"

func digest(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// serve answers like a web server with some odd pages.
func serve() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20)) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/good", http.StatusFound)
	})
	mux.HandleFunc("/node/", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.Path)) })
	busy := 2
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		if busy--; busy >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(body))
	})
	broken := 1
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if broken--; broken >= 0 {
			_, _ = w.Write([]byte(body[:5]))
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(body))
	})
	return mux
}

func TestRead(t *testing.T) {
	plain := httptest.NewServer(serve())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(serve())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	pool := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	vouched := " " + DigestWord + "=" + digest(body)
	decade := 3660 * 24 * time.Hour // longer than the certificate is good for
	tests := []struct {
		name, cmdline string
		off           time.Duration // of the clock
		stranger      bool          // the server is not trusted
		want          string        // the text, or a part of the error
		err           bool
	}{
		{name: "none", cmdline: "quiet root=x"},
		{name: "https", cmdline: "HTTPS/good", want: body},
		{name: "https with a digest", cmdline: "HTTPS/good" + vouched, want: body},
		{name: "http with a digest", cmdline: "HTTP/good" + vouched, want: body},
		{name: "http without a digest", cmdline: "HTTP/good", err: true, want: "http needs the digest of the text, as bulkhead.user-data-sha256"},
		{name: "another text", cmdline: "HTTP/empty" + vouched, err: true, want: "has the SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, want"},
		{name: "nonsense for a digest", cmdline: "HTTP/good " + DigestWord + "=abc", err: true, want: `"abc" is no digest, want 64 hexadecimal digits`},
		{name: "empty", cmdline: "HTTPS/empty"},
		{name: "absent", cmdline: "HTTPS/nowhere", err: true, want: "answers 404 Not Found"},
		{name: "10 MiB", cmdline: "HTTPS/large", err: true, want: "there are more than 8388608 bytes"},
		{name: "moved", cmdline: "HTTPS/moved", want: body},
		{name: "round and round", cmdline: "HTTPS/round", err: true, want: "it leads on and on"},
		{name: "from https to http", cmdline: "HTTPS/down", err: true, want: "it leads from https to http"},
		{name: "busy", cmdline: "HTTPS/busy", want: body},
		{name: "broken off", cmdline: "HTTPS/broken", want: body},
		{name: "stranger", cmdline: "HTTPS/good", stranger: true, err: true, want: "certificate signed by unknown authority"},
		{name: "stranger, with a digest", cmdline: "HTTPS/good" + vouched, stranger: true, err: true, want: "certificate signed by unknown authority"},
		{name: "clock years behind", cmdline: "HTTPS/good", off: -6 * decade, err: true, want: "certificate has expired or is not yet valid"},
		{name: "clock years behind, with a digest", cmdline: "HTTPS/good" + vouched, off: -6 * decade, want: body},
		{name: "clock years ahead, with a digest", cmdline: "HTTPS/good" + vouched, off: 20 * decade, want: body},
		{name: "another scheme", cmdline: URLWord + "=file:///etc/shadow", err: true, want: `names no host`},
		{name: "a scheme of others", cmdline: URLWord + "=ftp://x/y", err: true, want: "ftp is not spoken here"},
		{name: "values", cmdline: "HTTPS/node/${mac}/${serial}", want: "/node/52:54:00:00:00:01/a b?/"},
		{name: "value that the machine lacks", cmdline: "HTTPS/${uuid}", err: true, want: "this machine has no uuid"},
		{name: "unknown value", cmdline: "HTTPS/${code}", err: true, want: "${code} is not known, want uuid, serial, mac or hostname"},
		{name: "value without an end", cmdline: "HTTPS/${mac", err: true, want: `"${mac" has no end`},
		{name: "quoted", cmdline: `"` + "HTTPS/good" + `" quiet`, want: body},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := strings.NewReplacer("HTTPS/", URLWord+"="+secure.URL+"/", "HTTP/", URLWord+"="+plain.URL+"/").Replace(tt.cmdline)
			s := Source{
				Cmdline: line, Values: map[string]string{"mac": "52:54:00:00:00:01", "serial": "a b?/", "uuid": ""},
				Now: func() time.Time { return time.Now().Add(tt.off) },
			}
			if !tt.stranger {
				s.Roots = &tls.Config{RootCAs: pool}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			d, err := s.Read(ctx)
			if (err != nil) != tt.err || err == nil && string(d.UserData) != tt.want || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read(%q) = %q, %v, want %q, error %v", line, d.UserData, err, tt.want, tt.err)
			}
		})
	}
}

// Passwords in an address are not told.
func TestPassword(t *testing.T) {
	s := httptest.NewServer(serve())
	defer s.Close()
	line := URLWord + "=" + strings.Replace(s.URL, "://", "://u:secret@", 1) + "/nowhere " + DigestWord + "=" + digest(body)
	_, err := Source{Cmdline: line}.Read(t.Context())
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Read(%q): %v, want an error without the password", line, err)
	}
}

// An address at which nobody listens is asked again until time is up.
func TestNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := Source{Cmdline: URLWord + "=https://127.0.0.1:1/x"}.Read(ctx)
	if err == nil || !strings.HasPrefix(err.Error(), "gave up after ") {
		t.Errorf("Read: %v, want that it gave up", err)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"a  b\n", []string{"a", "b"}},
		{`a="b c" "d e=f g"`, []string{"a=b c", "d e=f g"}},
		{`a "b c`, []string{"a", "b c"}},
	} {
		if diff := cmp.Diff(tt.want, split(tt.line)); diff != "" {
			t.Errorf("split(%q) (-want +got):\n%s", tt.line, diff)
		}
	}
}
