package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// What an apply is before its end; then it is as applier.Status says.
const (
	Waiting applier.Status = "waiting"
	Running applier.Status = "running"
)

// An Apply makes files what settings say, and deals with the units of those
// that change.
type Apply struct {
	ID         string           `json:"id"`
	Status     applier.Status   `json:"status"`
	Generation uint64           `json:"generation"`
	Reason     string           `json:"reason"` // commit, revert, apply or try-reverted
	Actor      Actor            `json:"actor"`
	Requested  time.Time        `json:"requested"`
	Started    *time.Time       `json:"started,omitempty"`
	Finished   *time.Time       `json:"finished,omitempty"`
	Error      string           `json:"error,omitempty"` // a fault of the apply as a whole
	Notes      []string         `json:"notes,omitempty"` // what was left out on purpose
	Files      []applier.File   `json:"files"`
	Actions    []applier.Action `json:"actions"`
	Units      []applier.Unit   `json:"units"`
	Faults     []plan.Fault     `json:"faults"` // what could not be made from the settings
}

// Done reports whether the apply has ended, well or not.
func (a *Apply) Done() bool { return a.Finished != nil }

// waitText is how a time to wait stands in a URI.
func waitText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// ApplyCurrent has the current settings applied and waits for the end of that,
// for at most wait.
func (c *Client) ApplyCurrent(ctx context.Context, wait time.Duration) (Apply, error) {
	var a Apply
	_, err := c.do(ctx, Request{Method: http.MethodPost, URI: uri("/tx/apply", "wait", wait.String())}, &a)
	return a, err
}

// Applies lists the applies that the API remembers, newest first: at most
// limit, or all for 0.
func (c *Client) Applies(ctx context.Context, limit int) ([]Apply, error) {
	var list []Apply
	_, err := c.do(ctx, Request{URI: uri("/applies", "limit", number(limit))}, &list)
	return list, err
}

// FindApply reads the apply called id.
func (c *Client) FindApply(ctx context.Context, id string) (Apply, error) {
	var a Apply
	_, err := c.do(ctx, Request{URI: "/applies/" + url.PathEscape(id)}, &a)
	return a, err
}

// A FileReader is a configuration file that depends on a setting.
type FileReader struct {
	Name     string   `json:"name"`
	Path     string   `json:"path"`
	Units    []string `json:"units"`
	OnChange string   `json:"on_change"` // restart, reload, none, or the name of a program
}

// Readers are what depends on a setting.
type Readers struct {
	Files    []FileReader `json:"files"`
	Programs []string     `json:"programs"` // that read it by themselves
}

// Readers tells what depends on the setting or table k.
func (c *Client) Readers(ctx context.Context, k key.Key) (Readers, error) {
	byKey := map[string]Readers{}
	_, err := c.do(ctx, Request{URI: uri("/metadata/readers", "keys", k.String())}, &byKey)
	return byKey[k.String()], err
}
