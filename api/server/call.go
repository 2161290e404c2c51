package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// A call is one request while it is being answered. Calls are reused.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	route  *Route
	peer   *Peer
	query  query
	status int    // 0 until the answer has begun
	body   int    // bytes of a large body, while its slot is taken
	after  func() // what is done when the answer is out; nil for nothing

	audited bool
	entry   audit.Entry
}

// handle returns the handler of rt.
func (s *Server) handle(rt *Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := s.calls.Get().(*call)
		*c = call{w: w, r: r, route: rt, peer: peerFrom(r.Context()), audited: rt.Changes || rt.Status == http.StatusSwitchingProtocols}
		defer func() {
			s.finish(c)
			c.conclude()
			*c = call{} // keep nothing of the request
			s.calls.Put(c)
		}()
		s.answer(c)
		s.metrics.count(rt, c.status)
		if c.audited {
			s.record(c)
		}
	}
}

// answer runs the handler. A handler that panics is a broken program: the
// request fails, loudly, and the store, which changes in transactions only, is
// as it was.
func (s *Server) answer(c *call) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v)
		}
		id := s.logPanic(c, v)
		if c.status != 0 { // half an answer must not look like a whole one
			panic(http.ErrAbortHandler)
		}
		s.refuse(c, internalProblem(id))
	}()
	err := s.admit(c)
	if err == nil {
		err = c.route.handle(s, c)
	}
	if err != nil {
		s.refuse(c, s.problemFrom(c, err))
	}
}

// admit decides whether the caller may make the request.
func (s *Server) admit(c *call) error {
	h := c.r.Header
	// Programs send neither; a browser that was led to the socket by a proxy does.
	if len(h["Origin"]) > 0 || len(h["Referer"]) > 0 {
		return problem.New(problem.ForeignOrigin, "the request carries Origin or Referer, as requests of web pages do")
	}
	if c.peer.stranger != "" {
		return s.turnAwayStranger(c)
	}
	if c.peer.Role < c.route.Role {
		return problem.New(problem.Forbidden, "%s has the role %s, and %s %s needs %s", c.peer.name, c.peer.Role, c.r.Method, c.route.Path, c.route.Role)
	}
	var err error
	c.query, err = parseQuery(c.r.URL.RawQuery)
	return err
}

// refuse answers with p.
func (s *Server) refuse(c *call, p *problem.Problem) {
	c.entry.Code = p.Code
	c.status = p.Status
	problem.Write(c.w, p)
}

// record writes what happened to the audit log and to the daemon's own.
func (s *Server) record(c *call) {
	e := c.entry
	e.Time = s.opt.Now()
	e.Actor, e.UID, e.PID, e.Role, e.Via = c.peer.name, c.peer.UID, c.peer.PID, c.peer.Role.String(), c.peer.via()
	e.Remote = c.peer.address()
	e.Method, e.Route, e.Result = c.r.Method, c.route.Path, c.status
	s.opt.Notices.Audit.Append(e)
	log := s.opt.Log.With("method", e.Method, "route", e.Route, "status", e.Result, "actor", e.Actor)
	if e.Remote != "" {
		log = log.With("address", e.Remote)
	}
	switch {
	case e.Code != "":
		log.Info("request", "code", e.Code)
	case e.Generation != 0:
		log.Info("request", "generation", e.Generation)
	default:
		log.Info("request")
	}
}

// mention notes keys for the audit log.
func (c *call) mention(keys []key.Key) {
	n := min(len(keys), audit.MaxKeys)
	for _, k := range keys[:n] {
		c.entry.Keys = append(c.entry.Keys, k.String())
	}
	c.entry.More += len(keys) - n
}

// actor returns the caller as the store records it.
func (c *call) actor() store.Actor {
	return store.Actor{Name: c.peer.name, UID: c.peer.UID, PID: c.peer.PID, Role: c.peer.Role.String(), Via: c.peer.via()}
}

// transaction returns the name of the transaction and notes it.
func (c *call) transaction() (string, error) {
	tx, err := c.query.transaction()
	c.entry.Tx = tx
	return tx, err
}

// reveal reports whether the caller asks for secrets in clear and may see
// them. That is recorded, like a change.
func (c *call) reveal() (bool, error) {
	v, err := c.query.choice("secrets", "hide", "show")
	if err != nil || v == "hide" {
		return false, err
	}
	c.audited = true
	if c.peer.Role < Admin {
		return false, problem.New(problem.Forbidden, "%s has the role %s, and secrets are shown to %s only", c.peer.name, c.peer.Role, Admin)
	}
	return true, nil
}

// Content types as header values, which are shared between answers.
var (
	jsonType   = []string{"application/json"}
	ndjsonType = []string{typeNDJSON}
	tomlType   = []string{"application/toml"}
	yamlType   = []string{"application/yaml"}
	schemaType = []string{"application/schema+json"}
)

// send answers with body.
func (c *call) send(contentType []string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.status = http.StatusOK
	_, _ = c.w.Write(body) // whoever hung up needs no answer
	return nil
}

// sendJSON answers with v, compact, and with values as they are: a "<" is no
// danger outside of web pages.
func (c *call) sendJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return c.send(jsonType, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// done answers that there is nothing to say.
func (c *call) done() error {
	c.status = http.StatusNoContent
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) setNumber(header string, n uint64) {
	c.w.Header().Set(header, strconv.FormatUint(n, 10))
}

// deadline gives the answer another time to be written; the zero time lifts
// the limit.
func (c *call) deadline(t time.Time) error {
	return http.NewResponseController(c.w).SetWriteDeadline(t)
}
