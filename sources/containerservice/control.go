package containerservice

import (
	"context"
	"fmt"

	"github.com/bulkhead-os/bulkhead/api/containers"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// control starts, stops or restarts a container.
func (s *service) control(ctx context.Context, d *dialogue) error {
	r := d.request
	unit, err := s.unitOf(ctx, r.Name)
	if err != nil {
		return err
	}
	s.log.Info("container is told", "operation", string(r.Operation), "unit", unit, "actor", r.Actor)
	result, err := s.units.Do(ctx, string(r.Operation), unit)
	if err != nil {
		return err
	}
	if result != "done" {
		return &containers.Refusal{
			Code: containers.Failure, Detail: fmt.Sprintf("%s %s: systemd says %q", r.Operation, unit, result), Hint: "apiclient logs " + unit + " says why",
		}
	}
	return d.say(containers.Answer{Done: true})
}

// unitOf returns the unit of the container called name, also of one that systemd
// has forgotten since it was stopped.
func (s *service) unitOf(ctx context.Context, name string) (string, error) {
	if _, err := scalar.ParseIdentifier(name); err != nil {
		return "", refusal(containers.Invalid, "the name of a container: %v", err)
	}
	unit, _, err := s.find(ctx, name)
	if err != nil {
		for _, kind := range []hostcontainerd.Kind{hostcontainerd.Host, hostcontainerd.Declared} {
			if hostcontainerd.Defined(kind, name) {
				unit, err = unitName(containers.Kind(kind), name), nil
				break
			}
		}
	}
	switch {
	case err != nil:
		return "", err
	case unit == bootstrapUnit:
		return "", refusal(containers.Invalid, "container %s prepares the node while it boots, and runs at no other time", name)
	case unit == "":
		return "", refusal(containers.Invalid, "container %s is there for as long as somebody looks at it", name)
	}
	return unit, nil
}

func unitName(kind containers.Kind, name string) string {
	for _, p := range prefixes {
		if p.kind == kind {
			return p.prefix + name + ".service"
		}
	}
	return ""
}

// pull fetches an image, and says how far it is.
func (s *service) pull(ctx context.Context, d *dialogue) error {
	ctx, done := d.whileThere(ctx)
	defer done()
	c, err := s.runtime.started(ctx)
	if err != nil {
		return err
	}
	r := d.request
	s.log.Info("image is fetched", "image", r.Image, "actor", r.Actor)
	image, err := c.PullWatched(ctx, r.Image, proxyOf(r.Proxy), func(done, total int64) {
		_ = d.say(containers.Answer{Progress: &containers.Progress{Done: done, Total: total}}) // who has gone ends ctx
	})
	if err != nil {
		return err
	}
	return d.say(containers.Answer{Image: &containers.Image{Name: image.Name(), Digest: image.Target().Digest.String()}, Done: true})
}

func proxyOf(p containers.Proxy) hostcontainerd.Proxy {
	return hostcontainerd.Proxy{HTTPS: p.HTTPS, Direct: p.Direct}
}
