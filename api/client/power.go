package client

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// A Boot is what a node runs since it was switched on.
type Boot struct {
	ID string `json:"boot_id"`
}

// Boot tells which boot of the node answers.
func (c *Client) Boot(ctx context.Context) (Boot, error) {
	var b Boot
	_, err := c.do(ctx, Request{URI: "/os"}, &b)
	return b, err
}

// Reboot has the node start anew. The answer comes before it does.
func (c *Client) Reboot(ctx context.Context) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, URI: "/actions/reboot"})
	return err
}

// Shutdown has the node switched off. The answer comes before it is.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, URI: "/actions/shutdown"})
	return err
}

// A ResetPlan says what a reset does.
type ResetPlan struct {
	Destroys []Thing `json:"destroys"`
	Keeps    []Thing `json:"keeps"`
}

// A Thing is something that a node keeps.
type Thing struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// ResetPlan tells what Reset would do, and does nothing.
func (c *Client) ResetPlan(ctx context.Context, keepData bool) (ResetPlan, error) {
	var p ResetPlan
	_, err := c.do(ctx, Request{URI: resetURI(keepData)}, &p)
	return p, err
}

// Reset has the node forget what it was told, and start anew. The answer comes
// before it does.
func (c *Client) Reset(ctx context.Context, keepData bool) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, URI: resetURI(keepData)})
	return err
}

func resetURI(keepData bool) string {
	if keepData {
		return uri("/actions/reset", "keep-data", "1")
	}
	return "/actions/reset"
}

// usualPause is the time between attempts, and pollTime that for each, while
// something is waited for.
const (
	usualPause = time.Second
	pollTime   = 10 * time.Second
)

// AwaitHealth asks how the node is until good says that it is enough, and
// returns the last answer. Progress is told of every answer and of every error
// that may pass. It ends early with an error that will not: a refusal, or a
// certificate that is not trusted.
func (c *Client) AwaitHealth(ctx context.Context, good func(Health) bool, progress func(Health, error)) (Health, error) {
	var h Health
	err := c.poll(ctx, func(ctx context.Context) (bool, error) {
		var err error
		h, err = c.Health(ctx)
		progress(h, err)
		return err == nil && good(h), err
	})
	return h, err
}

// AwaitBoot waits until another boot of the node answers than old.
func (c *Client) AwaitBoot(ctx context.Context, old Boot, progress func(error)) (Boot, error) {
	var b Boot
	err := c.poll(ctx, func(ctx context.Context) (bool, error) {
		var err error
		b, err = c.Boot(ctx)
		progress(err)
		return err == nil && b != old, err
	})
	return b, err
}

// poll calls try, a while after it has ended again, until it is done, fails
// for good, or ctx ends, which then is the error.
func (c *Client) poll(ctx context.Context, try func(ctx context.Context) (done bool, err error)) error {
	return c.pollFrom(ctx, usualPause, try)
}

// pollFrom is poll with a time between attempts that grows to the usual one.
func (c *Client) pollFrom(ctx context.Context, pause time.Duration, try func(ctx context.Context) (done bool, err error)) error {
	for {
		once, cancel := context.WithTimeout(ctx, pollTime)
		done, err := try(once)
		cancel()
		if done || final(err) {
			return err
		}
		if sleep(ctx, cmp.Or(c.pause, pause)) != nil {
			return ctx.Err()
		}
		pause = min(2*pause, usualPause)
	}
}
