package server

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// codeMaintenance is the code of the fault that the node waits for settings.
const codeMaintenance report.Code = "waits-for-settings"

// firstTx is the transaction of first settings. What provision calls the
// generation of user data begins in the same way, so that user data which comes
// to light later is not taken any more.
const (
	firstTx      = "first-settings"
	firstMessage = "user data of "
)

// codeHeader has the code on the console.
const codeHeader = "Bulkhead-Code"

// Codes are eight of these: forty bits, in letters that are hard to mistake.
const codeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// A maintenance is the wait of a node for its first settings. Whoever has the
// code, which stands on the console, may submit them.
type maintenance struct {
	file string // keeps the code for as long as the node runs; none

	guesses *guesses

	mu   sync.Mutex // guards what follows
	code string     // empty while the node does not wait

	submit sync.Mutex // one first document at a time
}

func newMaintenance(file string) *maintenance {
	m := &maintenance{file: file, guesses: newGuesses()}
	if data, err := os.ReadFile(file); err == nil && file != "" {
		m.code = strings.TrimSpace(string(data))
	}
	return m
}

// open makes a code, unless there is one.
func (m *maintenance) open() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.code != "" {
		return nil
	}
	code := newCode()
	if m.file != "" {
		if err := os.MkdirAll(filepath.Dir(m.file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(m.file, []byte(code+"\n"), 0o600); err != nil {
			return err
		}
	}
	m.code = code
	return nil
}

// end forgets the code.
func (m *maintenance) end() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.code == "" {
		return nil
	}
	m.code = ""
	if err := os.Remove(m.file); m.file != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (m *maintenance) secret() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.code
}

func newCode() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = codeLetters[int(b[i])%len(codeLetters)]
	}
	return string(b[:4]) + "-" + string(b[4:])
}

// sameCode compares in a time that tells nothing. People may write the code in
// small letters and without the hyphen.
func sameCode(code, given string) bool {
	plain := func(s string) []byte { return []byte(strings.ReplaceAll(strings.ToUpper(s), "-", "")) }
	return subtle.ConstantTimeCompare(plain(code), plain(given)) == 1
}

// waiting reports whether the node waits for its first settings.
func (s *Server) waiting(snap *store.Snapshot) bool {
	return s.network != nil && snap.Current.ID == 0 && s.network.maintenance.secret() != ""
}

// apiSettings returns the settings of the API in doc.
func (s *Server) apiSettings(doc document.Document) settings.Settings {
	var all settings.Settings
	s.opt.Schema.Bind(doc, &all) // what it does not accept has been left out before
	return all
}

// maintenanceConfig is what the gate goes by while the node waits.
func maintenanceConfig(all settings.Settings) remote.Config {
	c := remote.Config{Anybody: true}
	if all.API == nil || all.API.Remote == nil || all.API.Remote.Listen == nil {
		return remote.Config{}
	}
	for _, a := range *all.API.Remote.Listen {
		c.Listen = append(c.Listen, a.AddrPort())
	}
	return c
}

// A Maintenance says whether the node waits for its first settings.
type Maintenance struct {
	Waiting bool   `json:"waiting"`
	Code    string `json:"code,omitempty"` // for root only
}

// getMaintenance answers GET /maintenance.
func (s *Server) getMaintenance(c *call) error {
	m := Maintenance{Waiting: s.waiting(s.opt.Store.Snapshot())}
	if m.Waiting && c.peer.System {
		m.Code = s.network.maintenance.secret()
	}
	return c.sendJSON(m)
}

// openMaintenance answers POST /actions/maintenance.
func (s *Server) openMaintenance(c *call) error {
	snap := s.opt.Store.Snapshot()
	all := s.apiSettings(snap.Effective.Under(apiKey))
	wanted := all.API != nil && all.API.Maintenance != nil && all.API.Maintenance.Enabled != nil && *all.API.Maintenance.Enabled
	switch {
	case s.network == nil || !wanted:
		return problem.New(problem.NoMaintenance, "the image does not have the node wait for settings on the network").
			WithHint("the default of settings.api.maintenance.enabled decides")
	case snap.Current.ID != 0:
		return problem.New(problem.NoMaintenance, "the node has settings, those of generation %d", snap.Current.ID)
	case !c.peer.System:
		return problem.New(problem.Forbidden, "%s may not have the node wait for settings, which is up to root", c.peer.name)
	}
	if err := s.network.maintenance.open(); err != nil {
		return err
	}
	s.followSettings()
	return c.sendJSON(Maintenance{Waiting: true, Code: s.network.maintenance.secret()})
}

// firstSettings answers POST /actions/first-settings.
func (s *Server) firstSettings(c *call) error {
	none := problem.New(problem.NoMaintenance, "the node does not wait for its first settings").
		WithHint("change them as somebody who is known to the node: apiclient apply --context NAME")
	if !s.waiting(s.opt.Store.Snapshot()) || c.peer.caller == nil {
		return none
	}
	closed, err := c.query.flag("closed")
	if err != nil {
		return err
	}
	m := s.network.maintenance
	if !m.guesses.await(c.r.Context(), c.peer.name, time.Now()) {
		return problem.New(problem.TooManyRequests, "the code was given too often").WithHint("wait a few seconds")
	}
	if !sameCode(m.secret(), c.r.Header.Get(codeHeader)) {
		return problem.New(problem.Forbidden, "the code is not the one on the console of the node")
	}
	m.submit.Lock()
	defer m.submit.Unlock()
	if !s.waiting(s.opt.Store.Snapshot()) {
		return none // somebody else was faster
	}
	in, err := s.readSettings(c, schema.Options{Beside: report.Warning})
	if err != nil {
		return err
	}
	if err := s.staysReachable(in.Patch, closed); err != nil {
		return err
	}
	return s.commitFirst(c, in)
}

// staysReachable refuses first settings with which nobody could reach the node.
func (s *Server) staysReachable(p document.Patch, closed bool) error {
	effective, _ := s.opt.Evaluate(document.Document{}.Apply(p), s.opt.Store.Snapshot().Generated, store.Commit)
	all := s.apiSettings(effective.Under(apiKey))
	if all.API != nil && len(remote.From(all.API.Remote).Listen) > 0 || closed {
		return nil
	}
	return problem.New(problem.BadRequest, "the settings do not open the API to the network, so that nobody could change them later").
		WithHint("add settings.api.remote, as apiclient pki init prints it, or say that it is meant: --closed")
}

func (s *Server) commitFirst(c *call, in schema.Input) error {
	if _, err := s.opt.Store.Drop(firstTx); err != nil {
		return err
	}
	err := s.opt.Store.Patch(c.lasting(), store.PatchRequest{Tx: firstTx, Patch: in.Patch, Actor: c.actor()})
	if err != nil {
		return located(err, in)
	}
	s.expectApply()
	s.owed.begin()
	defer s.owed.end(s.applies.busy)
	done, err := s.opt.Store.Commit(c.lasting(), store.CommitRequest{
		Tx: firstTx, Message: firstMessage + c.peer.name + ", who had the code on the console", Actor: c.actor(),
	})
	if err != nil {
		return located(err, in)
	}
	c.warn(in.Report)
	return s.sendCommitted(c, done, "commit", applying{wanted: true})
}

// maintenanceFaults tells that the node waits.
func (s *Server) maintenanceFaults() []report.Fault {
	if !s.waiting(s.opt.Store.Snapshot()) {
		return nil
	}
	return []report.Fault{{
		Severity: report.Warning, Code: codeMaintenance,
		Detail: "the node has no settings, and waits for its first ones on the network",
		Hint:   "apiclient apply --endpoint ADDRESS --insecure-fingerprint FINGERPRINT --code CODE FILE, with what the console shows",
	}}
}
