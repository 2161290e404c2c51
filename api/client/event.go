package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Reset is the kind of the event that says that events were missed: whoever
// follows settings reads them again.
const Reset = "reset"

// An Event is something that happened to the settings.
type Event struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"` // commit, apply-finished, …, or Reset
	Generation uint64    `json:"generation,omitempty"`
	Keys       []string  `json:"keys,omitempty"` // texts of keys
	Actor      Actor     `json:"actor"`
	Message    string    `json:"message,omitempty"`
	Apply      string    `json:"apply,omitempty"` // the name of the apply that it is about
	Time       time.Time `json:"time"`
}

// An EventsRequest selects events.
type EventsRequest struct {
	Kinds []string // empty means all
	After string   // id of the last event seen; empty means from now on
	All   bool     // instead of After: a Reset and then all events that the API remembers
}

// never is an id that no event has.
const never = "0"

// An EventStream gives events as they happen. It connects again when the API
// goes away and comes back, and misses nothing that the API still remembers.
type EventStream struct {
	api    *Client
	uri    string
	lastID string
	idle   time.Duration // the connection counts as dead when this long nothing came
	pause  time.Duration // between attempts to connect
	conn   *connection
}

// connection is one answer to GET /events.
type connection struct {
	body     io.ReadCloser
	messages *messageReader
	cancel   context.CancelFunc
	watchdog *time.Timer
}

func (c *connection) close() {
	c.watchdog.Stop()
	c.cancel()
	c.body.Close()
}

// Events opens a stream of events. When it returns, every later event will be
// in the stream.
func (c *Client) Events(ctx context.Context, r EventsRequest) (*EventStream, error) {
	if r.All {
		r.After = never
	}
	s := &EventStream{
		api: c, uri: uri("/events", "kinds", strings.Join(r.Kinds, ",")), lastID: r.After,
		idle: time.Minute, pause: time.Second, // the API sends something every 15 seconds
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *EventStream) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	body, err := s.api.open(ctx, Request{URI: s.uri, LastEventID: s.lastID})
	if err != nil {
		cancel()
		return err
	}
	conn := &connection{body: body, cancel: cancel, watchdog: time.AfterFunc(s.idle, cancel)}
	conn.messages = newMessageReader(body, func() { conn.watchdog.Reset(s.idle) })
	conn.messages.id, conn.messages.lastID = s.lastID, s.lastID
	s.conn = conn
	return nil
}

// Next waits for the next event. It returns an error only when ctx ends, when
// the API refuses the stream, or when what comes is no event.
func (s *EventStream) Next(ctx context.Context) (Event, error) {
	for {
		if err := s.reconnect(ctx); err != nil {
			return Event{}, err
		}
		stop := context.AfterFunc(ctx, s.conn.cancel)
		msg, err := s.conn.messages.next()
		stop()
		if ctx.Err() != nil {
			return Event{}, ctx.Err()
		}
		if errors.Is(err, errLongMessage) {
			return Event{}, err
		}
		if err != nil { // the connection broke
			s.drop()
			continue
		}
		s.lastID = msg.id
		return decodeEvent(msg)
	}
}

// reconnect makes sure that there is a connection. An API that is not there
// may come back.
func (s *EventStream) reconnect(ctx context.Context) error {
	for s.conn == nil {
		if err := sleep(ctx, s.pause); err != nil {
			return err
		}
		err := s.connect(ctx)
		if final(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (s *EventStream) drop() {
	s.lastID = s.conn.messages.lastID // also one that came without an event
	if s.conn.messages.retry > 0 {
		s.pause = s.conn.messages.retry
	}
	s.conn.close()
	s.conn = nil
}

// Close ends the stream.
func (s *EventStream) Close() {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
}

func decodeEvent(msg message) (Event, error) {
	e := Event{ID: msg.id, Kind: msg.event}
	if msg.event == Reset && strings.TrimSpace(msg.data) == "" {
		return e, nil
	}
	if err := json.Unmarshal([]byte(msg.data), &e); err != nil {
		return Event{}, fmt.Errorf("read event %s of kind %s: %w", msg.id, msg.event, err)
	}
	e.ID, e.Kind = msg.id, msg.event
	return e, nil
}
