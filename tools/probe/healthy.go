package probe

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

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
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://node/health", nil)
		if err != nil {
			return false
		}
		resp, err := c.Do(req)
		if err != nil {
			return false // it does not listen yet
		}
		defer resp.Body.Close()
		var health struct {
			Status string `json:"status"`
		}
		return json.NewDecoder(resp.Body).Decode(&health) == nil && health.Status == "ok"
	}
}
