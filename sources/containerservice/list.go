package containerservice

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// bootstrapUnit runs all containers that prepare the node.
const bootstrapUnit = "bootstrap-containers.service"

// prefixes begin the names of the units that run containers, of which each has one
// of its own.
var prefixes = []struct {
	kind   containers.Kind
	prefix string
}{
	{containers.Host, "host-container@"},
	{containers.Declared, "container@"},
}

// A unit is what systemd knows of one.
type unit struct {
	name     string
	active   string // as systemd calls its state
	sub      string
	started  time.Time
	restarts int
}

// units is what runs the units of the node.
type units interface {
	// List returns units whose names match one of patterns.
	List(ctx context.Context, patterns []string) ([]unit, error)
	// Do carries out a verb: start, stop or restart. It returns how the job has
	// ended, as systemd calls it.
	Do(ctx context.Context, verb, unit string) (string, error)
}

// list answers with the containers that run or ran.
func (s *service) list(ctx context.Context, d *dialogue) error {
	all, err := s.all(ctx)
	if err != nil {
		return err
	}
	return d.say(containers.Answer{Containers: all, Done: true})
}

func (s *service) all(ctx context.Context) ([]containers.Container, error) {
	var patterns []string
	for _, p := range prefixes {
		patterns = append(patterns, p.prefix+"*.service")
	}
	loaded, err := s.units.List(ctx, patterns)
	if err != nil {
		return nil, err
	}
	var known []hostcontainerd.Info
	c, err := s.runtime.running(ctx)
	if err != nil {
		return nil, err
	}
	if c != nil {
		if known, err = c.List(ctx); err != nil {
			return nil, err
		}
	}
	return merge(loaded, known, hostcontainerd.LastEnd), nil
}

// merge puts together what systemd and containerd know. Ended says how a container
// ended last, by containerd's name of it.
func merge(loaded []unit, known []hostcontainerd.Info, ended func(id string) (int, bool)) []containers.Container {
	type key struct {
		kind containers.Kind
		name string
	}
	out := map[key]containers.Container{}
	for _, u := range loaded {
		kind, name := instance(u.name)
		c := containers.Container{Name: name, Kind: kind, Unit: u.name, Restarts: u.restarts, State: stateOf(u, false)}
		if !u.started.IsZero() && u.active == "active" {
			c.Started = new(u.started.UTC())
		}
		out[key{kind, name}] = c
	}
	for _, i := range known {
		k := key{containers.Kind(i.Kind), i.Name}
		c, had := out[k]
		if !had {
			c = containers.Container{Name: i.Name, Kind: k.kind, State: containers.Stopped}
			if k.kind == containers.Bootstrap {
				c.Unit = bootstrapUnit
			}
		}
		c.Image, c.Digest = i.Image, i.Digest
		if i.Running && c.State != containers.Stopping {
			c.State = containers.Running
		}
		if i.Ended {
			c.ExitStatus = new(int(i.Code))
		}
		out[k] = c
	}
	list := make([]containers.Container, 0, len(out))
	for k, c := range out {
		if c.ExitStatus == nil && c.State != containers.Running {
			if code, ok := ended(hostcontainerd.Kind(k.kind).ID(k.name)); ok {
				c.ExitStatus = &code
			}
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b containers.Container) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
	})
	return list
}

// instance returns whose unit is called name.
func instance(name string) (containers.Kind, string) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p.prefix); ok {
			return p.kind, strings.TrimSuffix(rest, ".service")
		}
	}
	return "", name
}

// stateOf returns the state of a container whose unit is u. A unit is active while
// the image is fetched.
func stateOf(u unit, runs bool) containers.State {
	switch {
	case u.active == "activating" && u.sub == "auto-restart":
		return containers.Waiting
	case u.active == "deactivating":
		return containers.Stopping
	case runs:
		return containers.Running
	case u.active == "active", u.active == "activating", u.active == "reloading":
		return containers.Starting
	case u.active == "failed":
		return containers.Failed
	}
	return containers.Stopped
}

// find returns the unit that runs the container called name, and containerd's name
// of it.
func (s *service) find(ctx context.Context, name string) (unitName, id string, err error) {
	all, err := s.all(ctx)
	if err != nil {
		return "", "", err
	}
	for _, kind := range []containers.Kind{containers.Host, containers.Declared, containers.Bootstrap, containers.Debug} {
		for _, c := range all {
			if id := hostcontainerd.Kind(kind).ID(c.Name); c.Kind == kind && (c.Name == name || id == name) {
				return c.Unit, id, nil
			}
		}
	}
	return "", "", &containers.Refusal{
		Code: containers.Unknown, Detail: fmt.Sprintf("there is no container %.255q, or it is not enabled", name),
		Hint: "apiclient container list shows all",
	}
}
