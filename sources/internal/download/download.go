// Package download fetches files from servers that cannot be relied on.
//
// What it gives is not verified: callers know hashes. It sees to it that fetching
// ends: with the bytes that were asked for, however often a server breaks off, or
// with an error, whatever a server does to keep it waiting.
package download

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options say how files are fetched. The zero value has no proxy and no limit.
type Options struct {
	Proxy func(*url.URL) (*url.URL, error) // nil for none
	Rate  int64                            // bytes per second that are fetched at most; 0 for as many as come
	// Least is how many bytes per second have to come, over the time Patience.
	Least    int64
	Patience time.Duration
	Tries    int           // how often in a row nothing may come of asking
	Pause    time.Duration // after the first of those; it doubles
	// Now is the time by which certificates are judged. Where Wrong reports that the
	// clock is known to be wrong, their time does not count: what is fetched is
	// verified anyway, and a node has to get out of that state.
	Now   func() time.Time
	Wrong func() bool
	Roots *x509.CertPool // of servers; nil for those of the system
	Agent string
}

// Defaults of Options.
const (
	defaultLeast    = 4 << 10
	defaultPatience = 30 * time.Second
	defaultTries    = 6
	defaultPause    = 500 * time.Millisecond
	longestPause    = 30 * time.Second
)

// A Client fetches files. It may be shared between goroutines.
type Client struct {
	opt      Options
	http     *http.Client
	limit    *rate.Limiter
	received atomic.Int64
}

// New returns a client.
func New(opt Options) *Client {
	if opt.Least == 0 {
		opt.Least = defaultLeast
	}
	if opt.Patience == 0 {
		opt.Patience = defaultPatience
	}
	if opt.Tries == 0 {
		opt.Tries = defaultTries
	}
	if opt.Pause == 0 {
		opt.Pause = defaultPause
	}
	c := &Client{opt: opt}
	if opt.Rate > 0 {
		c.limit = rate.NewLimiter(rate.Limit(opt.Rate), int(max(opt.Rate, chunk)))
	}
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     opt.tls(),
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: opt.Patience, IdleConnTimeout: 30 * time.Second,
		MaxIdleConnsPerHost: 8, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		ReadBufferSize: chunk,
	}
	if opt.Proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return opt.Proxy(r.URL) }
	}
	c.http = &http.Client{Transport: t, CheckRedirect: redirect}
	return c
}

// redirect follows a server to others, but not away from encryption.
func redirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 5:
		return errors.New("the server sends us on and on")
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return fmt.Errorf("the server sends us to %s, which is not encrypted", r.URL.Redacted())
	}
	return nil
}

// tls returns how certificates are judged. With a wrong clock the chain is verified
// as of a time at which the server's certificate is valid.
func (o Options) tls() *tls.Config {
	cfg := &tls.Config{RootCAs: o.Roots, Time: o.Now, MinVersion: tls.VersionTLS12}
	if o.Wrong == nil {
		return cfg
	}
	cfg.InsecureSkipVerify = true // VerifyConnection does it
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		leaf, at := s.PeerCertificates[0], time.Now()
		if o.Now != nil {
			at = o.Now()
		}
		if o.Wrong() {
			at = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
		}
		opts := x509.VerifyOptions{DNSName: s.ServerName, Roots: o.Roots, CurrentTime: at, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
		}
		_, err := leaf.Verify(opts)
		return err
	}
	return cfg
}

// Received returns how many bytes have come.
func (c *Client) Received() int64 { return c.received.Load() }

// Close ends connections that wait for more to do.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A StatusError is an answer of a server that is no file.
type StatusError struct {
	URL    string
	Status int
	after  time.Duration // that the server wants us to wait
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server answers %d %s", e.URL, e.Status, http.StatusText(e.Status))
}

// Is makes the answers that there is no such file say so.
func (e *StatusError) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

// passing reports whether it may help to ask again.
func (e *StatusError) passing() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooEarly
}

// Errors that say what a server did.
var (
	ErrSlow    = errors.New("the server is too slow")
	ErrTooLong = errors.New("the file is longer than it may be")
	// ErrNoRanges says that a server does not give parts of files.
	ErrNoRanges = errors.New("the server does not give parts of files")

	errOther = errors.New("it is another file")
)

// A stop is an error after which asking again does not help.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// File returns the file at one of urls, whichever has it first, if it has at most
// limit bytes.
func (c *Client) File(ctx context.Context, urls []string, limit int64) ([]byte, error) {
	var data []byte
	err := c.insist(ctx, urls, func(u string) (bool, error) {
		body, err := c.open(ctx, u, "")
		if err != nil {
			return false, err
		}
		defer body.Close()
		data, err = io.ReadAll(io.LimitReader(body, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%s: %w: more than %d bytes", u, ErrTooLong, limit)
		}
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// insist calls do with each of urls until there is no error. Errors that may pass
// lead to a pause when all have had their turn; so do those after which there
// was progress, which do not count.
func (c *Client) insist(ctx context.Context, urls []string, do func(url string) (progress bool, err error)) error {
	pause, failed := c.opt.Pause, 0
	lost := map[string]error{}
	for i := 0; ; i++ {
		u := urls[i%len(urls)]
		if lost[u] != nil {
			continue
		}
		progress, err := do(u)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case progress:
			pause, failed = c.opt.Pause, 0
			clear(lost)
			continue
		}
		if halt, ok := errors.AsType[stop](err); ok {
			return halt.error
		}
		failed++
		s, _ := errors.AsType[*StatusError](err)
		if s != nil && !s.passing() || errors.Is(err, ErrTooLong) || errors.Is(err, ErrNoRanges) || errors.Is(err, errOther) {
			if lost[u] = err; len(lost) == len(unique(urls)) {
				return worst(lost, urls)
			}
			continue
		}
		if failed >= c.opt.Tries {
			return fmt.Errorf("given up after %d tries: %w", failed, err)
		}
		if s != nil {
			pause = max(pause, min(s.after, longestPause))
		}
		if failed%len(urls) > 0 {
			continue // another place first
		}
		if err := wait(ctx, pause/2+rand.N(pause)); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

func unique(urls []string) map[string]bool {
	out := map[string]bool{}
	for _, u := range urls {
		out[u] = true
	}
	return out
}

// worst returns the error of the first place that says more than that it has no such
// file, or else of the first.
func worst(lost map[string]error, urls []string) error {
	for _, u := range urls {
		if !errors.Is(lost[u], fs.ErrNotExist) {
			return lost[u]
		}
	}
	return lost[urls[0]]
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open asks for a file, or for the range of it that is given as the header has it.
func (c *Client) open(ctx context.Context, u, span string) (*body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		cancel(nil)
		return nil, &StatusError{URL: u, Status: http.StatusBadRequest} // no address: asking again does not help
	}
	r.Header.Set("Accept-Encoding", "identity")
	if c.opt.Agent != "" {
		r.Header.Set("User-Agent", c.opt.Agent)
	}
	if span != "" {
		r.Header.Set("Range", span)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		cancel(nil)
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
			err = fmt.Errorf("%w: %w", ErrSlow, err)
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && (span == "" || resp.StatusCode != http.StatusPartialContent) {
		resp.Body.Close()
		cancel(nil)
		return nil, &StatusError{URL: u, Status: resp.StatusCode, after: retryAfter(resp.Header)}
	}
	return &body{c: c, url: u, ctx: ctx, cancel: cancel, resp: resp}, nil
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// chunk is how much is read at once.
const chunk = 64 << 10

// A body is what comes as an answer, as long as it comes fast enough.
type body struct {
	c      *Client
	url    string
	ctx    context.Context // of the request; reading the answer belongs to it
	cancel context.CancelCauseFunc
	resp   *http.Response

	waited time.Duration // since came was 0
	came   int64
}

func (b *body) Read(p []byte) (int, error) {
	p = p[:min(len(p), chunk)]
	began := time.Now()
	stall := time.AfterFunc(b.c.opt.Patience-b.waited, func() { b.cancel(ErrSlow) })
	n, err := b.resp.Body.Read(p)
	stall.Stop()
	b.waited += time.Since(began)
	b.came += int64(n)
	b.c.received.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
		return n, fmt.Errorf("%s: %w", b.url, err)
	}
	if b.waited >= b.c.opt.Patience {
		if float64(b.came) < float64(b.c.opt.Least)*b.waited.Seconds() && err == nil {
			return n, fmt.Errorf("%s: %w: %d bytes in %s", b.url, ErrSlow, b.came, b.waited.Round(time.Second))
		}
		b.waited, b.came = 0, 0
	}
	if b.c.limit != nil && n > 0 {
		if err := b.c.limit.WaitN(b.ctx, n); err != nil {
			return n, err
		}
	}
	return n, err
}

func (b *body) Close() error {
	b.cancel(nil)
	return b.resp.Body.Close()
}
