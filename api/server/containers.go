package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings"
)

// maxPulls is how many images are fetched for callers at a time.
const maxPulls = 4

// containers returns what the containers are reached by.
func (s *Server) containers() (*containers.Client, error) {
	if s.opt.Containers == nil {
		return nil, problem.New(problem.NoContainers, "%s", problem.NoContainers.Title).WithHint("the daemon runs without a container service, as in a sandbox")
	}
	return s.opt.Containers, nil
}

var containerProblems = map[containers.Code]problem.Kind{
	containers.Invalid: problem.InvalidParameter, containers.Unknown: problem.UnknownContainer, containers.NotRunning: problem.NotRunning,
	containers.Busy: problem.TooManySessions, containers.Failure: problem.ContainerFailed,
}

// containerProblem returns the problem of what the container service says.
func (s *Server) containerProblem(c *call, err error) error {
	if r, ok := errors.AsType[*containers.Refusal](err); ok {
		p := problem.New(containerProblems[r.Code], "%s", r.Detail)
		p.Hint = r.Hint
		return p
	}
	if c.r.Context().Err() != nil {
		return err
	}
	s.opt.Log.Error("no container service", "err", err)
	return problem.New(problem.NoContainers, "%v", err)
}

// listContainers answers GET /containers.
func (s *Server) listContainers(c *call) error {
	service, err := s.containers()
	if err != nil {
		return err
	}
	a, err := service.Do(c.r.Context(), containers.Request{Operation: containers.List, Actor: c.peer.name}, nil)
	if err != nil {
		return s.containerProblem(c, err)
	}
	return c.sendJSON(withWanted(a.Containers, s.wantedContainers()))
}

// wantedContainers returns the containers of the settings.
func (s *Server) wantedContainers() []containers.Container {
	var all settings.Settings
	s.opt.Schema.Bind(s.opt.Store.Snapshot().Effective, &all)
	var list []containers.Container
	add := func(kind containers.Kind, name string, enabled, superpowered bool, image string) {
		state := containers.Stopped
		if !enabled {
			state = containers.Off
		}
		list = append(list, containers.Container{Name: name, Kind: kind, Image: image, State: state, Superpowered: superpowered})
	}
	for name, h := range all.HostContainers {
		add(containers.Host, name.String(), truly(h.Enabled), truly(h.Superpowered), textOf(h.Source))
	}
	for name, b := range all.BootstrapContainers {
		add(containers.Bootstrap, name.String(), b.Mode != nil && *b.Mode != scalar.BootstrapOff, true, textOf(b.Source))
	}
	for name, d := range all.Containers {
		add(containers.Declared, name.String(), d.Enabled == nil || *d.Enabled, false, textOf(d.Image))
	}
	return list
}

func truly(b *bool) bool { return b != nil && *b }

func textOf[T interface{ String() string }](v *T) string {
	if v == nil {
		return ""
	}
	return (*v).String()
}

// withWanted completes what is there with what the settings want.
func withWanted(there, wanted []containers.Container) []containers.Container {
	type name struct {
		kind containers.Kind
		name string
	}
	all := map[name]containers.Container{}
	for _, c := range wanted {
		all[name{c.Kind, c.Name}] = c
	}
	for _, c := range there {
		w, ok := all[name{c.Kind, c.Name}]
		if ok {
			c.Image, c.Superpowered = cmp.Or(c.Image, w.Image), w.Superpowered
			if w.State == containers.Off && c.State == containers.Stopped {
				c.State = containers.Off
			}
		}
		all[name{c.Kind, c.Name}] = c
	}
	return slices.SortedFunc(maps.Values(all), func(a, b containers.Container) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
	})
}

// startContainer answers POST /containers/{name}/start.
func (s *Server) startContainer(c *call) error { return s.control(c, containers.Start) }

// stopContainer answers POST /containers/{name}/stop.
func (s *Server) stopContainer(c *call) error { return s.control(c, containers.Stop) }

// restartContainer answers POST /containers/{name}/restart.
func (s *Server) restartContainer(c *call) error { return s.control(c, containers.Restart) }

// controlLimit is more than a container has to end.
const controlLimit = 3 * time.Minute

func (s *Server) control(c *call, o containers.Operation) error {
	service, err := s.containers()
	if err != nil {
		return err
	}
	name := chi.URLParam(c.r, "name")
	c.entry.Container = shorten(name)
	if err := c.deadline(time.Now().Add(controlLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := service.Do(c.lasting(), containers.Request{Operation: o, Name: name, Actor: c.peer.name}, nil); err != nil {
		return s.containerProblem(c, err)
	}
	return c.done()
}

// proxy returns by what way images are fetched.
func (s *Server) proxy() containers.Proxy {
	var all settings.Settings
	s.opt.Schema.Bind(s.opt.Store.Snapshot().Effective.Under(key.Of("network")), &all)
	if all.Network == nil || all.Network.HTTPSProxy == nil {
		return containers.Proxy{}
	}
	p := containers.Proxy{HTTPS: all.Network.HTTPSProxy.String(), Direct: []string{"localhost", "127.0.0.1"}}
	for _, host := range all.Network.NoProxy {
		p.Direct = append(p.Direct, host.String())
	}
	return p
}

// pullImage answers POST /containers/pull with lines of JSON.
func (s *Server) pullImage(c *call) error {
	service, err := s.containers()
	if err != nil {
		return err
	}
	image, given, err := c.query.text("image")
	if err != nil {
		return err
	}
	if !given {
		return badParameter("image", "it is missing").WithHint("name an image, as registry.example.org/team/tool:v1")
	}
	select {
	case s.sessions.pulls <- struct{}{}:
		defer func() { <-s.sessions.pulls }()
	default:
		return problem.New(problem.TooManyStreams, "%d images are being fetched already", maxPulls).WithHint("try again when one is there")
	}
	ctx, cancel := s.untilClosing(c)
	defer cancel()
	if err := c.deadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) { // however long it takes
		return err
	}
	c.w.Header()["Content-Type"] = ndjsonType
	a, err := service.Do(ctx, containers.Request{Operation: containers.Pull, Image: image, Proxy: s.proxy(), Actor: c.peer.name}, func(p containers.Progress) {
		if !c.line(p) {
			cancel()
		}
	})
	switch {
	case err != nil && ctx.Err() != nil:
		c.entry.Outcome = "the caller has left"
	case err != nil && c.status == 0:
		return s.containerProblem(c, err)
	case err != nil:
		p := s.problemFrom(c, s.containerProblem(c, err))
		c.entry.Code = p.Code
		c.line(map[string]any{"problem": p})
	default:
		c.line(map[string]any{"image": a.Image})
	}
	return nil
}

// line sends a line of JSON at once.
func (c *call) line(v any) bool {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // strings and numbers
		panic("server: " + err.Error())
	}
	c.status = http.StatusOK
	return c.push(b.Bytes())
}
