package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/plan"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
)

// An Actor is who did something.
type Actor struct {
	Name string `json:"name"` // "root", "uid 1000"
	UID  uint32 `json:"uid"`
	PID  int32  `json:"pid"`
	Role string `json:"role"`
	Via  string `json:"via"` // socket, tls or internal
}

// A Generation is one state that the user's settings have had. Generation 0 is
// the empty document that every node begins with.
type Generation struct {
	ID        uint64     `json:"id"`
	Parent    uint64     `json:"parent"`
	Time      time.Time  `json:"time"`
	Actor     Actor      `json:"actor"`
	Message   string     `json:"message,omitempty"`
	Origin    string     `json:"origin,omitempty"`
	Try       bool       `json:"try,omitempty"` // committed on trial
	Changed   int        `json:"changed"`
	Current   bool       `json:"current"`
	Confirmed bool       `json:"confirmed"`          // false only for one on trial, or whose trial ran out
	Deadline  *time.Time `json:"deadline,omitempty"` // when a trial runs out
}

// Current stands for the current generation where one is asked for.
const Current = ^uint64(0)

// generationName is how a generation is called in a URI.
func generationName(id uint64) string {
	if id == Current {
		return "current"
	}
	return strconv.FormatUint(id, 10)
}

// pageSize is how many generations are asked for at once.
const pageSize = 1000

// Generations lists generations, newest first: at most limit of them, before
// the one called before. Zero means no bound.
func (c *Client) Generations(ctx context.Context, limit int, before uint64) ([]Generation, error) {
	var all []Generation
	for limit == 0 || len(all) < limit {
		n := pageSize
		if limit > 0 {
			n = min(n, limit-len(all))
		}
		var page []Generation
		_, err := c.do(ctx, Request{URI: uri("/generations", "limit", number(n), "before", number(before))}, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < n || page[n-1].ID <= 1 {
			break
		}
		before = page[n-1].ID
	}
	return all, nil
}

// number prints n, or nothing for zero.
func number[N int | uint64](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func generationURI(id uint64, more string) string {
	return "/generations/" + generationName(id) + more
}

// Generation reads one generation.
func (c *Client) Generation(ctx context.Context, id uint64) (Generation, error) {
	var g Generation
	_, err := c.do(ctx, Request{URI: generationURI(id, "")}, &g)
	return g, err
}

// A Diff leads from one generation to another.
type Diff struct {
	From, To uint64
	Changes  []document.Change
}

// Diff compares two generations.
func (c *Client) Diff(ctx context.Context, from, to uint64) (Diff, error) {
	return c.diff(ctx, generationURI(from, "/diff?to="+generationName(to)))
}

// Made tells what a generation changed in its parent.
func (c *Client) Made(ctx context.Context, id uint64) (Diff, error) {
	return c.diff(ctx, generationURI(id, "/diff"))
}

func (c *Client) diff(ctx context.Context, uri string) (Diff, error) {
	var wire struct {
		From    uint64   `json:"from"`
		To      uint64   `json:"to"`
		Changes []change `json:"changes"`
	}
	if _, err := c.do(ctx, Request{URI: uri}, &wire); err != nil {
		return Diff{}, err
	}
	changes, err := changesOf(wire.Changes)
	return Diff{From: wire.From, To: wire.To, Changes: changes}, err
}

// change is a document.Change as it is sent.
type change struct {
	Key key.Key         `json:"key"`
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

func changesOf(wire []change) ([]document.Change, error) {
	changes := make([]document.Change, len(wire))
	for i, w := range wire {
		old, err := valueOf(w.Old)
		if err != nil {
			return nil, fmt.Errorf("read changes: %s: %w", w.Key, err)
		}
		val, err := valueOf(w.New)
		if err != nil {
			return nil, fmt.Errorf("read changes: %s: %w", w.Key, err)
		}
		changes[i] = document.Change{Key: w.Key, Old: old, New: val}
	}
	return changes, nil
}

// valueOf returns nil for what is not set.
func valueOf(raw json.RawMessage) (*document.Value, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	v, err := value(raw)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// A RevertRequest makes the settings of an earlier generation current again.
type RevertRequest struct {
	To      uint64
	Message string
	Try     time.Duration // 0 for good, else it is taken back unless confirmed in time
	NoTry   bool          // for good, also where the API would try it by itself
	Wait    time.Duration // for the apply; 0 for not at all
}

// Revert makes the settings of an earlier generation current again, by adding
// a generation, and has them applied.
func (c *Client) Revert(ctx context.Context, r RevertRequest) (Committed, error) {
	return c.committed(ctx, Request{
		Method: http.MethodPost,
		URI:    uri(generationURI(r.To, "/revert"), "message", r.Message, "try", tryText(r.Try, r.NoTry), "wait", waitText(r.Wait)),
	})
}

// Confirm keeps the generation that is being tried: the one called id, or
// whichever it is when id is zero.
func (c *Client) Confirm(ctx context.Context, id uint64) (Generation, error) {
	var g Generation
	_, err := c.do(ctx, Request{Method: http.MethodPost, URI: uri("/confirm", "generation", number(id))}, &g)
	return g, err
}

// A PlanRequest asks what a change would do.
type PlanRequest struct {
	Tx          string  // what is pending there counts too
	Revert      *uint64 // a generation to go back to, instead of a transaction
	ContentType string  // of Body
	Body        []byte  // as of a Patch; may be empty
}

// A Plan is what a change would do.
type Plan struct {
	Generation uint64 // that the plan starts from
	Changes    []document.Change
	Faults     []report.Fault
	Host       *applier.Plan // what an apply would do; nil where nothing applies settings. Its faults are among Faults.
}

// Plan tells what a change would do, and does nothing.
func (c *Client) Plan(ctx context.Context, r PlanRequest) (Plan, error) {
	var wire struct {
		Generation uint64         `json:"generation"`
		Changes    []change       `json:"changes"`
		Faults     []report.Fault `json:"faults"`

		Files        *[]plan.FileChange `json:"files"`
		DaemonReload bool               `json:"daemon_reload"`
		Actions      []plan.Action      `json:"actions"`
		Units        []plan.UnitAction  `json:"units"`
	}
	revert := ""
	if r.Revert != nil {
		revert = generationName(*r.Revert)
	}
	_, err := c.do(ctx, Request{
		Method: http.MethodPost, URI: uri("/plan", "tx", r.Tx, "revert", revert),
		ContentType: r.ContentType, Body: r.Body,
	}, &wire)
	if err != nil {
		return Plan{}, err
	}
	changes, err := changesOf(wire.Changes)
	out := Plan{Generation: wire.Generation, Changes: changes, Faults: wire.Faults}
	if wire.Files != nil {
		out.Host = &applier.Plan{Files: *wire.Files, DaemonReload: wire.DaemonReload, Actions: wire.Actions, Units: wire.Units}
	}
	return out, err
}
