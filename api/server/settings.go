package server

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/store"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/schema"
)

// getSettings answers GET /settings.
func (s *Server) getSettings(c *call) error {
	v := s.current()
	if len(c.query) == 0 { // the whole document, as most callers want it
		if c.unchanged(v) {
			return nil
		}
		return c.send(jsonType, v.body)
	}
	clear, err := c.reveal()
	if err != nil {
		return err
	}
	layer, err := c.query.choice("layer", "effective", "user", "generated", "default")
	if err != nil {
		return err
	}
	origin, err := c.query.flag("origin")
	if err != nil {
		return err
	}
	doc, err := s.selected(c.query, s.layer(v, layer, clear))
	if err != nil || c.unchanged(v) {
		return err
	}
	if origin {
		return c.sendJSON(origins(v.snap, doc, layer))
	}
	return c.send(jsonType, doc.JSON())
}

// selected returns what keys or prefix select of d; keys win.
func (s *Server) selected(q query, d document.Document) (document.Document, error) {
	names, given, err := q.text("keys")
	if err != nil {
		return d, err
	}
	if given {
		keys, err := s.parseKeys(names)
		if err != nil {
			return d, err
		}
		return pick(d, keys), nil
	}
	prefix, given, err := q.text("prefix")
	if err != nil || !given {
		return d, err
	}
	if !strings.HasPrefix(prefix, key.Root) {
		prefix = settingsSection + prefix
	}
	return s.underPrefix(d, prefix), nil
}

// parseKeys reads a list of keys joined by commas; aliases become the names
// they stand for.
func (s *Server) parseKeys(list string) ([]key.Key, error) {
	keys := make([]key.Key, 0, 1+strings.Count(list, ","))
	for text := range strings.SplitSeq(list, ",") {
		k, err := key.Parse(text)
		if err != nil {
			return nil, badParameter("keys", "%v", err)
		}
		keys = append(keys, s.opt.Schema.Canonical(k))
	}
	return keys, nil
}

// pick returns the leaves of d at and below keys.
func pick(d document.Document, keys []key.Key) document.Document {
	if len(keys) == 1 {
		return d.Under(keys[0])
	}
	var leaves []document.Leaf
	for _, k := range keys {
		for k, v := range d.Under(k).All() {
			leaves = append(leaves, document.Leaf{Key: k, Value: v})
		}
	}
	return document.Of(leaves...)
}

// An origin is a setting with where it comes from.
type origin struct {
	Value      document.Value `json:"value"`
	Layer      string         `json:"layer"`
	Generation uint64         `json:"generation,omitempty"`
	Time       *time.Time     `json:"time,omitempty"`
	Actor      string         `json:"actor,omitempty"`
	Generator  string         `json:"generator,omitempty"`
	Strength   string         `json:"strength,omitempty"`
}

func origins(snap *store.Snapshot, doc document.Document, layer string) map[string]origin {
	out := make(map[string]origin, doc.Len())
	for k, v := range doc.All() {
		o := origin{Value: v, Layer: "default"}
		if layer == "generated" { // where the user's value hides it, too
			o.Layer = layer
		}
		if p, ok := snap.Provenance(k); ok && (layer == "effective" || layer == p.Layer) {
			o.Layer, o.Generation, o.Actor = p.Layer, p.Generation, p.Actor.Name
			o.Generator, o.Strength = p.Generator, string(p.Strength)
			if !p.Time.IsZero() {
				o.Time = &p.Time
			}
		}
		out[k.String()] = o
	}
	return out
}

// patchSettings answers PATCH /settings.
func (s *Server) patchSettings(c *call) error {
	layer, err := c.query.choice("layer", "user", "generated")
	if err != nil {
		return err
	}
	opt, err := c.reading()
	if err != nil {
		return err
	}
	if layer == "generated" {
		return s.patchGenerated(c, opt)
	}
	if err := c.query.userLayerOnly("it belongs to PATCH /settings?layer=generated", "strength", "generator"); err != nil {
		return err
	}
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	in, err := s.readSettings(c, opt)
	if err != nil {
		return err
	}
	return s.stage(c, tx, in)
}

// reading tells how to read the body of PATCH /settings.
func (c *call) reading() (schema.Options, error) {
	whole, err := c.query.flag("document")
	if whole {
		return schema.Options{Beside: report.Warning}, err
	}
	return schema.Options{}, err
}

// noLayer refuses the parameters of layers where only the user layer can be
// changed.
func (c *call) noLayer() error {
	return c.query.userLayerOnly("only PATCH /settings writes another layer", "layer", "strength", "generator")
}

// patchPairs answers PATCH /settings/keypair.
func (s *Server) patchPairs(c *call) error {
	if err := c.noLayer(); err != nil {
		return err
	}
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	in, err := s.readPairs(c)
	if err != nil {
		return err
	}
	return s.stage(c, tx, in)
}

// stage adds what was read to the transaction.
func (s *Server) stage(c *call, tx string, in schema.Input) error {
	s.expectApply()
	err := s.opt.Store.Patch(c.lasting(), store.PatchRequest{
		Tx: tx, IfMatch: c.ifMatch(), Patch: in.Patch, Actor: c.actor(),
	})
	if err != nil {
		return located(err, in)
	}
	c.warn(in.Report)
	return c.done()
}

// lasting is the context of a change. A caller that hangs up, or closes its
// half of the connection, does not stop what it asked for in the middle.
func (c *call) lasting() context.Context { return context.WithoutCancel(c.r.Context()) }

func (c *call) ifMatch() string { return strings.Join(c.r.Header["If-Match"], ",") }

// located gives the faults that the store found the places of their settings
// in the input.
func located(err error, in schema.Input) error {
	if r, ok := errors.AsType[*report.Refusal](err); ok && in.Positions != nil {
		schema.Locate(&r.Report, in.Positions)
	}
	return err
}

// warn tells the caller how many warnings there are.
func (c *call) warn(reps ...report.Report) {
	n := uint64(0)
	for _, rep := range reps {
		for _, f := range rep.Faults {
			if f.Severity == report.Warning {
				n++
			}
		}
	}
	if n > 0 {
		c.setNumber("Bulkhead-Warnings", n)
	}
}

// patchGenerated answers PATCH /settings?layer=generated.
func (s *Server) patchGenerated(c *call, opt schema.Options) error {
	if !c.peer.System {
		return problem.New(problem.Forbidden, "%s may not write the generated layer, which belongs to root", c.peer.name)
	}
	strength, err := c.query.choice("strength", "strong", "weak")
	if err != nil {
		return err
	}
	generator, _, err := c.query.text("generator")
	if err != nil {
		return err
	}
	in, err := s.readSettings(c, opt)
	if err != nil {
		return err
	}
	err = s.opt.Store.SetGenerated(c.lasting(), store.GeneratedRequest{
		IfMatch: c.ifMatch(), Patch: in.Patch, Strength: store.Strength(strength), Actor: c.actor(), Generator: generator,
	})
	if err != nil {
		return located(err, in)
	}
	c.warn(in.Report)
	c.w.Header()["Etag"] = s.current().etag
	return c.done()
}

// unsetSettings answers DELETE /settings.
func (s *Server) unsetSettings(c *call) error {
	if err := c.noLayer(); err != nil {
		return err
	}
	tx, err := c.transaction()
	if err != nil {
		return err
	}
	names, given, err := c.query.text("keys")
	if err == nil && !given {
		err = badParameter("keys", "is missing").WithHint("want names of settings joined by commas")
	}
	if err != nil {
		return err
	}
	keys, err := s.parseKeys(names)
	if err != nil {
		return err
	}
	c.mention(keys)
	for _, k := range keys {
		if err := s.unsettable(k); err != nil {
			return err
		}
	}
	s.expectApply()
	err = s.opt.Store.Patch(c.lasting(), store.PatchRequest{
		Tx: tx, IfMatch: c.ifMatch(), Patch: unset(keys), Actor: c.actor(),
	})
	if err != nil {
		return err
	}
	return c.done()
}

// unset returns the patch that unsets keys.
func unset(keys []key.Key) document.Patch {
	var p document.Patch
	for _, k := range keys {
		p = p.Then(document.Patch{Unset: []key.Key{k}})
	}
	return p
}

// unsettable returns an error for keys that a request cannot mean. What the
// user layer holds can be unset even if this image does not know it.
func (s *Server) unsettable(k key.Key) error {
	if k.IsRoot() {
		return badParameter("keys", "%q stands for all settings", key.Root).WithHint("name the groups to unset")
	}
	if _, ok := s.opt.Schema.Lookup(k); ok || s.opt.Store.Snapshot().User.Under(k).Len() > 0 {
		return nil
	}
	p := problem.New(problem.UnknownSetting, "there is no such setting")
	p.Path, p.Hint = k.String(), s.opt.Schema.Nearest(k)
	return p
}

// getRoot answers GET /.
func (s *Server) getRoot(c *call) error {
	prefix, given, err := c.query.text("prefix")
	v := s.current()
	if err != nil || c.unchanged(v) {
		return err
	}
	if !given {
		return c.sendJSON(struct {
			Settings json.RawMessage `json:"settings"`
			Services section         `json:"services,omitempty"`
			Files    section         `json:"configuration-files,omitempty"`
			OS       facts           `json:"os"`
		}{v.body, s.section(servicesSection), s.section(filesSection), s.facts()})
	}
	var sections struct {
		Settings json.RawMessage `json:"settings,omitempty"`
		Services section         `json:"services,omitempty"`
		Files    section         `json:"configuration-files,omitempty"`
		OS       map[string]any  `json:"os,omitempty"`
	}
	if d := s.underPrefix(v.shown, prefix); d.Len() > 0 {
		sections.Settings = d.JSON()
	}
	if overlap(prefix, servicesSection+".") {
		sections.Services = s.section(servicesSection).under(servicesSection, prefix)
	}
	if overlap(prefix, filesSection+".") {
		sections.Files = s.section(filesSection).under(filesSection, prefix)
	}
	if overlap(prefix, osSection) {
		sections.OS = s.facts().under(prefix)
	}
	return c.sendJSON(sections)
}

// overlap reports whether prefix selects something of a section: the section's
// name begins with it, or it goes on behind the name.
func overlap(prefix, section string) bool {
	return strings.HasPrefix(section, prefix) || strings.HasPrefix(prefix, section)
}
