package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// value returns raw as the value of a setting.
func value(raw []byte) (document.Value, error) {
	n, rep := syntax.JSON(raw, answerLimits)
	if err := rep.Err(); err != nil {
		return document.Value{}, err
	}
	return document.NewValue(string(document.NodeJSON(nil, n))), nil
}

// OS reads facts about the running image: those whose name begins with prefix.
func (c *Client) OS(ctx context.Context, prefix string) (map[string]any, error) {
	var sections struct {
		OS map[string]any `json:"os"`
	}
	_, err := c.do(ctx, Request{URI: uri("/", "prefix", "os."+prefix)}, &sections)
	return sections.OS, err
}

// Schema reads the JSON Schema of the node's settings.
func (c *Client) Schema(ctx context.Context) ([]byte, error) {
	res, err := c.Do(ctx, Request{URI: "/schema"})
	return res.Body, err
}

// Health is how the API itself is.
type Health struct {
	Status     string          `json:"status"` // starting, ok or degraded
	Faults     []report.Fault  `json:"faults,omitempty"`
	Generation uint64          `json:"generation"`
	Try        json.RawMessage `json:"try,omitempty"`
	Version    string          `json:"version"`
	Variant    string          `json:"variant"`
}

// Health reads how the node is.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	if _, err := c.do(ctx, Request{URI: "/health"}, &h); err != nil {
		return Health{}, fmt.Errorf("read health: %w", err)
	}
	return h, nil
}
