package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Transaction is a named set of changes that are not committed.
type Transaction struct {
	Name    string    `json:"name"`
	Keys    int       `json:"keys"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Actor   Actor     `json:"actor"`
}

// Pending reads what a transaction would set, as JSON nested by the segments
// of keys. What it would unset is null.
func (c *Client) Pending(ctx context.Context, tx string) ([]byte, error) {
	res, err := c.Do(ctx, Request{URI: uri("/tx", "tx", tx)})
	return res.Body, err
}

// Transactions lists the open transactions.
func (c *Client) Transactions(ctx context.Context) ([]Transaction, error) {
	var list []Transaction
	_, err := c.do(ctx, Request{URI: "/tx/list?details=1"}, &list)
	return list, err
}

// Drop forgets a transaction and returns the keys it was about. Dropping one
// that does not exist is no error.
func (c *Client) Drop(ctx context.Context, tx string) ([]string, error) {
	var keys []string
	_, err := c.do(ctx, Request{Method: http.MethodDelete, URI: uri("/tx", "tx", tx)}, &keys)
	return keys, err
}

// A CommitRequest makes what is pending in a transaction the current settings.
type CommitRequest struct {
	Tx      string // empty means "default"
	Message string
	Try     time.Duration // 0 for good, else the commit is taken back unless confirmed in time
	NoTry   bool          // for good, also where the API would try it by itself
	IfMatch string
	Apply   bool          // also write the files and restart the units that the change touches
	Wait    time.Duration // for the apply; 0 for not at all
}

// A Committed is a new generation of the settings.
type Committed struct {
	Changed     []string   `json:"changed"` // texts of keys
	Generation  uint64     `json:"generation"`
	ETag        string     `json:"-"`
	TryDeadline *time.Time `json:"try-deadline,omitempty"` // when a try is taken back
	// TryByDefault says that the API tries the change because it may cut off the
	// caller, not because it was asked to.
	TryByDefault bool   `json:"-"`
	Applied      bool   `json:"applied"`         // false where nothing applies settings, and when not asked for
	ApplyID      string `json:"-"`               // the name of the apply
	Apply        *Apply `json:"apply,omitempty"` // what has become of it, for who waits
}

// Commit commits a transaction.
func (c *Client) Commit(ctx context.Context, r CommitRequest) (Committed, error) {
	path := "/tx/commit"
	if r.Apply {
		path = "/tx/commit_and_apply"
	}
	wait := ""
	if r.Apply {
		wait = waitText(r.Wait)
	}
	out, err := c.committed(ctx, Request{
		Method: http.MethodPost, IfMatch: r.IfMatch,
		URI: uri(path, "tx", r.Tx, "message", r.Message, "try", tryText(r.Try, r.NoTry), "wait", wait),
	})
	out.Applied = out.Applied && r.Apply
	return out, err
}

// tryText says in a query for how long a change is tried.
func tryText(try time.Duration, noTry bool) string {
	switch {
	case try != 0:
		return try.String()
	case noTry:
		return "none"
	}
	return ""
}

// committed sends a request that makes a generation.
func (c *Client) committed(ctx context.Context, r Request) (Committed, error) {
	var body json.RawMessage
	res, err := c.do(ctx, r, &body)
	if err != nil {
		return Committed{}, err
	}
	var out Committed
	// An object for who waits; an API that does not know of waiting gives the list.
	into := any(&out.Changed)
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		into = &out
	}
	if err := json.Unmarshal(body, into); err != nil {
		return Committed{}, fmt.Errorf("%s %s: decode the answer: %w", r.method(), r.URI, err)
	}
	out.ETag = res.Header.Get("ETag")
	out.Applied = res.Header.Get("Bulkhead-Applied") != "no"
	out.ApplyID = res.Header.Get("Bulkhead-Apply")
	// Absent or foreign headers leave the zero value: the commit stands anyway.
	out.Generation, _ = strconv.ParseUint(res.Header.Get("Bulkhead-Generation"), 10, 64)
	if t, err := time.Parse(time.RFC3339, res.Header.Get("Bulkhead-Try-Deadline")); err == nil {
		out.TryDeadline = &t
		out.TryByDefault = res.Header.Get("Bulkhead-Try") == "default"
	}
	return out, nil
}
