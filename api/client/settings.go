package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A Layer is one of the documents that the effective settings are made of.
type Layer string

// The layers, from the one that counts most.
const (
	User      Layer = "user"      // what was set through the API
	Generated Layer = "generated" // what programs of the node found out
	Default   Layer = "default"   // what the variant brings
	Effective Layer = "effective" // all three together; the layer of requests that name none
)

// answers are bounded by Do; these limits only guard the decoder.
var answerLimits = syntax.Limits{Bytes: maxAnswer, Depth: 64, String: maxAnswer}

// A Query selects settings. The zero Query selects all.
type Query struct {
	Keys    []key.Key // settings and tables; what is not set is left out of the answer
	Prefix  string    // how the text of keys begins; Keys win over it
	Layer   Layer
	Secrets bool // secrets in clear, which only an admin may ask for
}

func (q Query) uri(more ...string) string {
	args := append([]string{"keys", joinKeys(q.Keys), "prefix", q.Prefix, "layer", string(q.Layer)}, more...)
	if q.Secrets {
		args = append(args, "secrets", "show")
	}
	return uri("/settings", args...)
}

func joinKeys(keys []key.Key) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = k.String()
	}
	return strings.Join(texts, ",")
}

// Settings are settings as they were when the answer was made.
type Settings struct {
	Document document.Document
	ETag     string // for If-Match
}

// Settings reads settings.
func (c *Client) Settings(ctx context.Context, q Query) (Settings, error) {
	res, err := c.Do(ctx, Request{URI: q.uri()})
	if err != nil {
		return Settings{}, err
	}
	doc, err := readDocument(res.Body)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	return Settings{Document: doc, ETag: res.Header.Get("ETag")}, nil
}

func readDocument(body []byte) (document.Document, error) {
	n, rep := syntax.JSON(body, answerLimits)
	if err := rep.Err(); err != nil {
		return document.Document{}, err
	}
	return document.FromNode(n)
}

// An Origin is a setting's value with where it comes from.
type Origin struct {
	Value      json.RawMessage `json:"value"`
	Layer      Layer           `json:"layer"`
	Generation uint64          `json:"generation,omitempty"` // that set it, for the user layer
	Time       *time.Time      `json:"time,omitempty"`
	Actor      string          `json:"actor,omitempty"`
	Generator  string          `json:"generator,omitempty"`
	Strength   string          `json:"strength,omitempty"`
}

// Origins reads settings with where each comes from, by the text of their keys.
func (c *Client) Origins(ctx context.Context, q Query) (map[string]Origin, error) {
	origins := map[string]Origin{}
	_, err := c.do(ctx, Request{URI: q.uri("origin", "1")}, &origins)
	return origins, err
}

// A Patch is a change to pending settings.
type Patch struct {
	Tx          string // transaction; empty means "default"
	ContentType string // JSON, MergePatch or TOML
	Body        []byte
	Document    bool   // Body is a whole document: what stands beside its "settings" gives a warning only
	IfMatch     string // ETag that the settings must still have
}

// Patch adds a change to a transaction. It returns the number of warnings;
// Plan tells what they are.
func (c *Client) Patch(ctx context.Context, p Patch) (warnings int, err error) {
	whole := ""
	if p.Document {
		whole = "1"
	}
	res, err := c.Do(ctx, Request{
		Method: http.MethodPatch, URI: uri("/settings", "tx", p.Tx, "document", whole),
		ContentType: p.ContentType, IfMatch: p.IfMatch, Body: p.Body,
	})
	return warningCount(res), err
}

// GeneratedValues are values that a program has found for settings.
type GeneratedValues struct {
	Generator string // name of the program, which is kept with them
	Strength  string // "strong" for good, "weak" until the version of the image changes
	Values    document.Document
}

// Generate puts values into the generated layer, at once. Only root may.
func (c *Client) Generate(ctx context.Context, g GeneratedValues) error {
	_, err := c.Do(ctx, Request{
		Method:      http.MethodPatch,
		URI:         uri("/settings", "layer", string(Generated), "strength", g.Strength, "generator", g.Generator),
		ContentType: JSON, Body: g.Values.JSON(),
	})
	return err
}

// PatchPairs adds settings given as KEY=VALUE to a transaction. The API reads
// each value by the type of its setting.
func (c *Client) PatchPairs(ctx context.Context, tx string, pairs []string) (warnings int, err error) {
	body, err := json.Marshal(map[string][]string{"request_payload": pairs})
	if err != nil {
		return 0, fmt.Errorf("encode settings: %w", err)
	}
	res, err := c.Do(ctx, Request{
		Method: http.MethodPatch, URI: uri("/settings/keypair", "tx", tx), ContentType: JSON, Body: body,
	})
	return warningCount(res), err
}

// Unset adds to a transaction that keys, and what is below them, are no longer
// set by the user.
func (c *Client) Unset(ctx context.Context, tx string, keys []key.Key) error {
	_, err := c.Do(ctx, Request{Method: http.MethodDelete, URI: uri("/settings", "keys", joinKeys(keys), "tx", tx)})
	return err
}

func warningCount(res Response) int {
	n, _ := strconv.Atoi(res.Header.Get("Bulkhead-Warnings")) // absent means none
	return n
}
