package download_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/download"
)

var data = bytes.Repeat([]byte("0123456789abcdef"), 40_000) // 640,000 bytes

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func right(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "data", time.Unix(1, 0), bytes.NewReader(data))
}

func quick() download.Options { return download.Options{Pause: time.Microsecond} }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFile(t *testing.T) {
	tests := []struct {
		name    string
		answers []int // one after the other; the last one stays
		limit   int64
		want    string
		asked   int
	}{
		{name: "there", answers: []int{200}, limit: 640_000, asked: 1},
		{name: "too long", answers: []int{200}, limit: 639_999, want: "the file is longer than it may be: more than 639999 bytes", asked: 1},
		{name: "not there", answers: []int{404}, limit: 1, want: "the server answers 404 Not Found", asked: 1},
		{name: "forbidden", answers: []int{403}, limit: 1, want: "the server answers 403 Forbidden", asked: 1},
		{name: "passing", answers: []int{503, 429, 500, 200}, limit: 640_000, asked: 4},
		{name: "lasting", answers: []int{502}, limit: 1, want: "given up after 6 tries", asked: 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int64
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n := int(asked.Add(1))
				if code := tt.answers[min(n, len(tt.answers))-1]; code != 200 {
					w.WriteHeader(code)
					return
				}
				right(w, r)
			})
			c := download.New(quick())
			got, err := c.File(t.Context(), []string{u}, tt.limit)
			if !strings.Contains(text(err), tt.want) || (err == nil) != (tt.want == "") || err == nil && !bytes.Equal(got, data) {
				t.Errorf("File = %d bytes, %v, want %q", len(got), err, tt.want)
			}
			if n := int(asked.Load()); n != tt.asked {
				t.Errorf("the server was asked %d times, want %d", n, tt.asked)
			}
			if tt.name == "not there" != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("errors.Is(%v, fs.ErrNotExist) = %v", err, errors.Is(err, fs.ErrNotExist))
			}
		})
	}
}

// Places are asked one after the other; those that have no such file only once.
func TestPlaces(t *testing.T) {
	var lost, bad atomic.Int64
	places := []string{
		serve(t, func(w http.ResponseWriter, _ *http.Request) { lost.Add(1); w.WriteHeader(404) }),
		serve(t, func(w http.ResponseWriter, _ *http.Request) { bad.Add(1); w.WriteHeader(500) }),
		serve(t, right),
	}
	c := download.New(quick())
	var b bytes.Buffer
	if err := c.Open(places, int64(len(data))).Copy(t.Context(), &b, 7, 1000, download.Strictly, 0); err != nil || !bytes.Equal(b.Bytes(), data[7:1007]) {
		t.Errorf("Copy = %d bytes, %v, want what the third place has", b.Len(), err)
	}
	if lost.Load() != 1 || bad.Load() != 1 {
		t.Errorf("the first places were asked %d and %d times, want once", lost.Load(), bad.Load())
	}
	// The first place is left out at first by whom it did not satisfy.
	b.Reset()
	if err := c.Open(places, int64(len(data))).Copy(t.Context(), &b, 7, 1000, download.Strictly, 2); err != nil || lost.Load() != 1 {
		t.Errorf("Copy with another attempt: %v, and the first place was asked %d times, want that it is not asked again", err, lost.Load())
	}
}

func TestCopy(t *testing.T) {
	const off, n = 5000, 600_000
	tests := []struct {
		name   string
		server http.HandlerFunc
		part   download.Strictness
		want   string
	}{
		{name: "right", server: right},
		{name: "cut off", server: func(w http.ResponseWriter, r *http.Request) {
			right(&cutting{ResponseWriter: w, left: 300_000}, r)
		}},
		{name: "no parts", part: download.Leniently, server: func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); right(w, r) }},
		{name: "no parts, and none wanted", part: download.Strictly, want: "does not give parts", server: func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); right(w, r) }},
		{name: "another part", part: download.Leniently, want: "", server: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes 0-99/640000")
				w.WriteHeader(206)
				_, _ = w.Write(data[:100])
				return
			}
			right(w, r)
		}},
		{name: "several parts", part: download.Strictly, want: "does not give parts", server: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
				w.WriteHeader(206)
				return
			}
			right(w, r)
		}},
		{name: "another file", want: "it is another file: it has 3 bytes", server: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("abc")) }},
		{name: "on and on", want: "sends us on and on", server: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := download.New(quick())
			var b bytes.Buffer
			err := c.Open([]string{serve(t, tt.server) + "/"}, int64(len(data))).Copy(t.Context(), &b, off, n, tt.part, 0)
			if !strings.Contains(text(err), tt.want) || (err == nil) != (tt.want == "") {
				t.Fatalf("Copy: %v, want %q", err, tt.want)
			}
			if err == nil && !bytes.Equal(b.Bytes(), data[off:off+n]) {
				t.Errorf("Copy gave %d bytes, want the %d that were asked for", b.Len(), n)
			}
		})
	}
}

// A cutting writer breaks the connection off.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(b []byte) (int, error) {
	if len(b) > c.left {
		_, _ = c.ResponseWriter.Write(b[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

// What cannot be written is not asked for again.
func TestCopyToNowhere(t *testing.T) {
	var asked atomic.Int64
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); right(w, r) })
	full := errors.New("the disk is full")
	err := download.New(quick()).Open([]string{u}, int64(len(data))).Copy(t.Context(), broken{full}, 0, 1000, download.Strictly, 0)
	if !errors.Is(err, full) || asked.Load() != 1 {
		t.Errorf("Copy to a full disk: %v after %d requests, want the error of the disk after one", err, asked.Load())
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// A server that gives hardly anything is given up, whether it trickles or stands still.
func TestSlow(t *testing.T) {
	for _, trickle := range []int{0, 1} {
		t.Run(fmt.Sprint(trickle), func(t *testing.T) {
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				for {
					if _, err := w.Write(make([]byte, trickle)); err != nil {
						return
					}
					_ = http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-tick.C:
					}
				}
			})
			o := quick()
			o.Patience, o.Least, o.Tries = 200*time.Millisecond, 1<<20, 2
			var b bytes.Buffer
			err := download.New(o).Open([]string{u}, int64(len(data))).Copy(t.Context(), &b, 0, int64(len(data)), download.Leniently, 0)
			if !errors.Is(err, download.ErrSlow) || !strings.Contains(text(err), "given up after 2 tries") {
				t.Errorf("Copy from a slow server: %v, want that it is given up", err)
			}
		})
	}
}

// A limit of the rate holds.
func TestRate(t *testing.T) {
	o := quick()
	o.Rate = 400_000
	began := time.Now()
	var b bytes.Buffer
	if err := download.New(o).Open([]string{serve(t, right)}, int64(len(data))).Copy(t.Context(), &b, 0, 600_000, download.Strictly, 0); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 450*time.Millisecond { // the first 400,000 come at once
		t.Errorf("600,000 bytes came in %s, want at least half a second", took)
	}
}

func TestCancelled(t *testing.T) {
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	why := errors.New("it was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := download.New(quick()).File(ctx, []string{u}, 10); !errors.Is(err, why) {
		t.Errorf("File after all was cancelled: %v, want %v", err, why)
	}
}

func TestProxy(t *testing.T) {
	var asked string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = r.URL.String(); right(w, r) })
	o := quick()
	o.Proxy = func(*url.URL) (*url.URL, error) { return url.Parse(proxy) }
	if _, err := download.New(o).File(t.Context(), []string{"http://updates.example.org/x"}, 1<<20); err != nil {
		t.Fatal(err)
	}
	if want := "http://updates.example.org/x"; asked != want {
		t.Errorf("the proxy was asked for %q, want %q", asked, want)
	}
}

// With a clock that is known to be wrong the time of a certificate does not count; who
// signed it does.
func TestCertificates(t *testing.T) {
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(right))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	defer s.Close()
	u := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)

	tests := []struct {
		name    string
		ahead   time.Duration
		wrong   bool
		unknown bool
		want    string
	}{
		{name: "right"},
		{name: "ahead", ahead: 24 * time.Hour, want: "expired"},
		{name: "behind", ahead: -24 * time.Hour, want: "not yet valid"},
		{name: "known to be behind", ahead: -24 * time.Hour, wrong: true},
		{name: "known to be behind, and somebody else", ahead: -24 * time.Hour, wrong: true, unknown: true, want: "unknown authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := quick()
			o.Tries, o.Roots = 1, x509.NewCertPool()
			if !tt.unknown {
				o.Roots.AddCert(cert)
			}
			o.Now = func() time.Time { return now.Add(tt.ahead) }
			o.Wrong = func() bool { return tt.wrong }
			_, err := download.New(o).File(t.Context(), []string{u}, 1<<20)
			if !strings.Contains(text(err), tt.want) || (err == nil) != (tt.want == "") {
				t.Errorf("File: %v, want %q", err, tt.want)
			}
		})
	}
}
