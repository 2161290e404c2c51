// Package client talks to the settings API of a node over its Unix socket.
//
// The zero Client works on a node: it uses the socket that BULKHEAD_SOCKET
// names, or the usual one. An answer that refuses a request is a *Problem,
// which carries every fault the API found; a socket that nobody answers is an
// *Unreachable.
//
// Methods come in the order of the routes. Do is for whatever has no method of
// its own.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// DefaultSocket is where the API of a node listens.
const DefaultSocket = "/run/api.sock"

// SocketVariable is the environment variable that names another socket.
const SocketVariable = "BULKHEAD_SOCKET"

// The content types that a change may have.
const (
	JSON       = "application/json"             // null means "not mentioned"
	MergePatch = "application/merge-patch+json" // null unsets
	TOML       = "application/toml"
)

// maxAnswer bounds what is read of an answer. The longest legitimate one is a
// whole settings document, which the API keeps far below it.
const maxAnswer = 64 << 20

// A Client sends requests to the API. It may be shared between goroutines and
// must not be copied after its first use.
type Client struct {
	Socket string         // empty means BULKHEAD_SOCKET, then DefaultSocket
	Trace  func(Exchange) // if set, is told of every answer

	once sync.Once
	http *http.Client
}

// New returns a Client for the API at socket; see Client.Socket.
func New(socket string) *Client { return &Client{Socket: socket} }

// An Exchange is a request that was answered.
type Exchange struct {
	Method, URI string
	Status      int
	Took        time.Duration
}

// An Unreachable says that no API answers at a socket.
type Unreachable struct {
	Socket string
	Err    error
}

// Error names the socket and what connecting to it gave.
func (e *Unreachable) Error() string { return fmt.Sprintf("connect to %s: %v", e.Socket, e.Err) }

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

func (c *Client) socket() string {
	return cmp.Or(c.Socket, os.Getenv(SocketVariable), DefaultSocket)
}

func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		path := c.socket()
		c.http = &http.Client{
			Transport: &http.Transport{
				DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
				DisableCompression: true, // the bytes do not leave the machine
				IdleConnTimeout:    time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return c.http
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return conn, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // the rest repeats the path
	}
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		err = sys.Err
	}
	return nil, &Unreachable{Socket: path, Err: err}
}

// A Request is one request to the API.
type Request struct {
	Method      string // empty means GET
	URI         string // path and query, from "/" on; percent-encoded except for characters no URI may hold
	ContentType string
	IfMatch     string // ETag that the settings must still have
	LastEventID string
	Body        []byte
}

// A Response is an answer that did not refuse its request.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends r and reads the answer. A status of 400 and above gives a *Problem.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	res, err := c.send(ctx, r)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return Response{}, fmt.Errorf("%s %s: read the answer: %w", r.method(), r.URI, cause(err))
	}
	if len(body) > maxAnswer {
		return Response{}, fmt.Errorf("%s %s: the answer is longer than %d bytes", r.method(), r.URI, maxAnswer)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return Response{}, problemFrom(r, res, body)
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// send sends r and leaves the answer's body to the caller.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	u, err := parseURI(r.URI)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method(), "", bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method(), r.URI, err)
	}
	req.URL, req.Host = u, u.Host
	for name, value := range map[string]string{"Content-Type": r.ContentType, "If-Match": r.IfMatch, "Last-Event-ID": r.LastEventID} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	start := time.Now()
	res, err := c.transport().Do(req)
	if err != nil {
		if u, ok := errors.AsType[*Unreachable](err); ok {
			return nil, u
		}
		return nil, fmt.Errorf("%s %s: %w", r.method(), r.URI, cause(err))
	}
	if c.Trace != nil {
		c.Trace(Exchange{Method: r.method(), URI: r.URI, Status: res.StatusCode, Took: time.Since(start)})
	}
	return res, nil
}

func (r Request) method() string { return cmp.Or(r.Method, http.MethodGet) }

// cause takes off the URL that net/http puts before its errors; ours name the
// request already.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// parseURI reads path and query. What people type is forgiven: characters that
// cannot stand in a request are encoded, and everything else stays as it is.
func parseURI(uri string) (*url.URL, error) {
	if !strings.HasPrefix(uri, "/") {
		return nil, fmt.Errorf("URI %q does not start with /", uri)
	}
	path, query, hasQuery := strings.Cut(uri, "?")
	path, query = encode(path), encode(query)
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("URI %q: %w", uri, err)
	}
	return &url.URL{Scheme: "http", Host: "localhost", Path: plain, RawPath: path, RawQuery: query, ForceQuery: hasQuery && query == ""}, nil
}

// encode percent-encodes the bytes of s that no URI may hold.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7F || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// uri joins path and query; empty values are left out.
func uri(path string, query ...string) string {
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		if query[i+1] != "" {
			q.Set(query[i], query[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// do sends r and decodes the answer's JSON into out, unless out is nil.
func (c *Client) do(ctx context.Context, r Request, out any) (Response, error) {
	res, err := c.Do(ctx, r)
	if err != nil || out == nil {
		return res, err
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return res, fmt.Errorf("%s %s: decode the answer: %w", r.method(), r.URI, err)
	}
	return res, nil
}
