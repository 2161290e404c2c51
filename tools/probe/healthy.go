package probe

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// pause is how long the API is left alone after an answer: one that is asked all the
// time has more memory at rest than a node that nobody waits for.
const pause = 200 * time.Millisecond

// answerLimit is how long the API of a node may take to answer. It waits for its
// own start as well.
const answerLimit = 10 * time.Second

// Healthy returns a function that asks the API at a socket whether the node is
// healthy.
func Healthy(socket string) func(context.Context) bool {
	c := &http.Client{Timeout: answerLimit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	var last time.Time
	return func(ctx context.Context) bool {
		if time.Since(last) < pause {
			return false
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://node/health", nil)
		if err != nil {
			return false
		}
		resp, err := c.Do(req)
		if err != nil {
			return false // it does not listen yet
		}
		defer resp.Body.Close()
		last = time.Now()
		var health struct {
			Status string `json:"status"`
		}
		return json.NewDecoder(resp.Body).Decode(&health) == nil && health.Status == "ok"
	}
}
