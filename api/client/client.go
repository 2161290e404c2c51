// Package client talks to the settings API of a node, over its Unix socket or
// over the network.
//
// The zero Client works on a node: it uses the socket that BULKHEAD_SOCKET
// names, or the usual one. With a Remote it talks TLS to a node elsewhere. An
// answer that refuses a request is a *Problem, which carries every fault the
// API found. Where nobody answers, the error is an *Unreachable; where somebody
// does whom we may not trust, an *Untrusted; where the node does not trust us,
// a *Rejected.
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

// ReaderSocket is where the API of a node listens for callers that only read.
const ReaderSocket = "/run/api-read.sock"

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
	Remote *Remote        // instead of Socket
	Trace  func(Exchange) // if set, is told of every answer

	once  sync.Once
	http  *http.Client
	err   error         // why there can be no connection
	pause time.Duration // between attempts while something is waited for; a second if 0
}

// New returns a Client for the API at socket; see Client.Socket.
func New(socket string) *Client { return &Client{Socket: socket} }

// Broken returns a Client that answers every request with err. It stands for
// one that could not be made, where that is no fault until it is used.
func Broken(err error) *Client {
	c := &Client{}
	c.once.Do(func() { c.err = err })
	return c
}

// An Exchange is a request that was answered.
type Exchange struct {
	Method, URI string
	Status      int
	Took        time.Duration
}

func (c *Client) socket() string {
	return cmp.Or(c.Socket, os.Getenv(SocketVariable), DefaultSocket)
}

// transport returns what sends requests.
func (c *Client) transport() (*http.Client, error) {
	c.once.Do(func() {
		dial, err := c.dialer()
		if err != nil {
			c.err = err
			return
		}
		c.http = &http.Client{
			Transport: &http.Transport{
				DialContext: dial, DialTLSContext: dial, // which of them depends on the scheme
				DisableCompression: true, // answers are small, or streams
				IdleConnTimeout:    time.Minute,

				ExpectContinueTimeout: 10 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return c.http, c.err
}

// A dialFunc connects to the API, whatever address it is given.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (c *Client) dialer() (dialFunc, error) {
	if c.Remote == nil {
		path := c.socket()
		return func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) }, nil
	}
	remote := *c.Remote
	config, err := remote.config()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return remote.dial(ctx, config) }, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return conn, nil
	}
	return nil, &Unreachable{Socket: path, Err: bare(err)}
}

// A Request is one request to the API.
type Request struct {
	Method      string // empty means GET
	URI         string // path and query, from "/" on; percent-encoded except for characters no URI may hold
	ContentType string
	IfMatch     string // ETag that the settings must still have
	LastEventID string
	Code        string // that stands on the console of a node that waits for its first settings
	Body        []byte

	Stream io.Reader // instead of Body, for what is too long for the memory
	Length int64     // of Stream, in bytes
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
		return Response{}, c.problem(r, res, body)
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// send sends r and leaves the answer's body to the caller.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	u, err := parseURI(r.URI)
	if err != nil {
		return nil, err
	}
	body := io.Reader(bytes.NewReader(r.Body))
	if r.Stream != nil {
		body = r.Stream
	}
	req, err := http.NewRequestWithContext(ctx, r.method(), "", body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method(), r.URI, err)
	}
	if r.Stream != nil {
		req.ContentLength = r.Length
		req.Header.Set("Expect", "100-continue") // who refuses it does so before it is sent
	}
	if c.Remote != nil {
		u.Scheme, u.Host = "https", c.Remote.Endpoint
	}
	req.URL, req.Host = u, u.Host
	for name, value := range map[string]string{"Content-Type": r.ContentType, "If-Match": r.IfMatch, "Last-Event-ID": r.LastEventID, "Bulkhead-Code": r.Code} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	start := time.Now()
	h, err := c.transport()
	if err != nil {
		return nil, err
	}
	res, err := h.Do(req)
	if err != nil {
		return nil, c.sendError(r, err)
	}
	if c.Trace != nil {
		c.Trace(Exchange{Method: r.method(), URI: r.URI, Status: res.StatusCode, Took: time.Since(start)})
	}
	return res, nil
}

// sendError says why r got no answer.
func (c *Client) sendError(r Request, err error) error {
	if e, ok := errors.AsType[*Unreachable](err); ok {
		return e
	}
	if e, ok := errors.AsType[*Untrusted](err); ok {
		return e
	}
	if e, ok := errors.AsType[*Rejected](err); ok {
		return e
	}
	if alert, ok := alertIn(err); ok { // with TLS 1.3 it comes after the handshake
		return &Rejected{c.Remote.Endpoint, alert}
	}
	return fmt.Errorf("%s %s: %w", r.method(), r.URI, cause(err))
}

// open sends r, whose answer is a stream that the caller reads and closes.
func (c *Client) open(ctx context.Context, r Request) (io.ReadCloser, error) {
	res, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < http.StatusBadRequest {
		return res.Body, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", r.method(), r.URI, cause(err))
	}
	return nil, c.problem(r, res, body)
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
