// Package applier asks the apply service of a node to make plans and to carry
// them out.
//
// The service answers HTTP on a Unix socket. POST /plan answers with a plan;
// POST /apply answers with a stream of Items, one a line, as things get done,
// the last of which is the Result. Both take a Request. POST /warm takes an OS
// and answers once the service has read what it needs of that image.
package applier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

const (
	maxAnswer  = 64 << 20 // of a plan, with the differences of all files
	maxProblem = 1 << 20
)

// A Client asks the service at one socket. It may be shared between goroutines.
type Client struct{ http http.Client }

// New returns a client for the service that listens at socket. Every request
// has a connection of its own: the service ends when it has none.
func New(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}}}
}

// Warm makes the service ready for requests about os: the next one does not wait
// for its start.
func (c *Client) Warm(ctx context.Context, os OS) error {
	body, err := c.post(ctx, "/warm", os)
	if err != nil {
		return fmt.Errorf("warm the apply service: %w", err)
	}
	return body.Close()
}

// Plan returns what an apply of r would do.
func (c *Client) Plan(ctx context.Context, r Request) (Plan, error) {
	var p Plan
	body, err := c.post(ctx, "/plan", r)
	if err != nil {
		return p, fmt.Errorf("ask for a plan: %w", err)
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&p); err != nil {
		return p, fmt.Errorf("read the plan: %w", err)
	}
	return p, nil
}

// Apply has r carried out and returns what became of it. It tells of each item
// when it is done. When ctx ends, the service goes on by itself.
func (c *Client) Apply(ctx context.Context, r Request, tell func(Item)) (Result, error) {
	body, err := c.post(ctx, "/apply", r)
	if err != nil {
		return Result{}, fmt.Errorf("ask for an apply: %w", err)
	}
	defer body.Close()
	lines := json.NewDecoder(io.LimitReader(body, maxAnswer))
	for {
		var item Item
		if err := lines.Decode(&item); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the answer ends before the result")
			}
			return Result{}, fmt.Errorf("follow the apply: %w", err)
		}
		if item.Result != nil {
			return *item.Result, nil
		}
		tell(item)
	}
}

// post sends r and returns the body of an answer that does not refuse it.
func (c *Client) post(ctx context.Context, path string, r any) (io.ReadCloser, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // it repeats what is said around
			err = u.Err
		}
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return nil, refusal(res)
	}
	return res.Body, nil
}

// refusal returns what an answer with a status other than 200 says.
func refusal(res *http.Response) error {
	var p problem.Problem
	if err := json.NewDecoder(io.LimitReader(res.Body, maxProblem)).Decode(&p); err != nil || p.Detail == "" {
		return fmt.Errorf("the apply service answers %s", res.Status)
	}
	return fmt.Errorf("the apply service refuses: %s", p.Detail)
}
