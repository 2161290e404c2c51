package client

import (
	"context"
	"net/http"
)

// A Maintenance says whether a node waits for its first settings.
type Maintenance struct {
	Waiting bool   `json:"waiting"`
	Code    string `json:"code,omitempty"` // for root only
}

// Maintenance tells whether the node waits for its first settings.
func (c *Client) Maintenance(ctx context.Context) (Maintenance, error) {
	var m Maintenance
	_, err := c.do(ctx, Request{URI: "/maintenance"}, &m)
	return m, err
}

// OpenMaintenance has the node wait for its first settings on the network. Only
// root may.
func (c *Client) OpenMaintenance(ctx context.Context) (Maintenance, error) {
	var m Maintenance
	_, err := c.do(ctx, Request{Method: http.MethodPost, URI: "/actions/maintenance"}, &m)
	return m, err
}

// A FirstDocument is what a node that waits for settings is given.
type FirstDocument struct {
	ContentType string // JSON or TOML
	Body        []byte
	Code        string // that stands on its console
	Closed      bool   // it may leave the node without access from the network
}

// FirstSettings gives a node its first settings, and has it apply them. It
// returns the number of warnings.
func (c *Client) FirstSettings(ctx context.Context, d FirstDocument) (warnings int, err error) {
	closed := ""
	if d.Closed {
		closed = "1"
	}
	res, err := c.Do(ctx, Request{
		Method: http.MethodPost, URI: uri("/actions/first-settings", "closed", closed), ContentType: d.ContentType, Body: d.Body, Code: d.Code,
	})
	return warningCount(res), err
}
