package containers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Check reports containers that cannot run as they are declared, alone or beside
// one another.
func (s *Settings) Check(p report.Place) {
	taken := map[Port]Name{}
	for _, name := range s.Names() {
		c, at := (*s)[name], p.In(name.String())
		c.check(at)
		s.checkAfter(name, c, at)
		if c.Runs() && c.bridged() {
			checkTaken(name, c, taken, at)
		}
	}
}

func (c Container) check(p report.Place) {
	if c.Runs() && c.Image == nil {
		p.Missing("image", "image is not set, so there is nothing to run", "set image to a container image, or enabled to false")
	}
	if !c.bridged() && len(c.Ports) > 0 {
		p.Conflict("ports", c.Ports[0], "with network = host the container has the ports of the node, and none is forwarded",
			`remove ports, or set network to "bridge"`)
	}
	for _, name := range slices.SortedFunc(maps.Keys(c.SecretEnv), EnvName.Compare) {
		if _, ok := c.Env[name]; ok {
			p.In("secret-env").Conflict(name.String(), c.SecretEnv[name], "env sets the variable "+name.String()+", too", "remove it from one of them")
		}
	}
	c.checkVolumes(p)
	c.checkCapabilities(p)
	if c.Health != nil {
		c.Health.check(p.In("health"))
	}
}

// checkTaken reports ports of the node that another container has.
func checkTaken(name Name, c Container, taken map[Port]Name, p report.Place) {
	for _, port := range c.Ports {
		outer := port.outer()
		other, ok := taken[outer]
		switch {
		case ok && other == name:
			p.Conflict("ports", port, fmt.Sprintf("port %d of the node for %s is forwarded twice", port.Host(), port.Protocol()), "name each port of the node once")
		case ok:
			p.Conflict("ports", port, fmt.Sprintf("port %d of the node for %s is that of container %s", port.Host(), port.Protocol(), other),
				"choose another port of the node, or switch one of the containers off")
		}
		taken[outer] = name
	}
}

// reserved are the places in a container that are not for volumes.
var reserved = []string{"/proc", "/sys", "/dev", "/run/secrets", "/.bulkhead", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}

func (c Container) checkVolumes(p report.Place) {
	taken := map[Path]Name{}
	for _, name := range slices.SortedFunc(maps.Keys(c.Volumes), Name.Compare) {
		path := c.Volumes[name].Path
		if path == nil {
			continue // it is mandatory
		}
		at := p.In("volumes").In(name.String())
		if other, ok := taken[*path]; ok {
			at.Conflict("path", path, fmt.Sprintf("volume %s is at %s, too", other, path), "choose another path")
		}
		taken[*path] = name
		for _, place := range reserved {
			if path.String() == place || strings.HasPrefix(path.String(), place+"/") {
				at.Conflict("path", path, place+" of a container is the system's", "choose another path, such as /data")
			}
		}
	}
}

func (c Container) checkCapabilities(p report.Place) {
	if c.Capabilities == nil {
		return
	}
	for _, dropped := range c.Capabilities.Drop {
		if slices.Contains(c.Capabilities.Add, Capability(dropped)) {
			p.In("capabilities").Conflict("drop", dropped, "add has it, too", "remove it from one of them")
		}
	}
}

// The bounds of what a health check may take.
const (
	shortest        = time.Second
	longestInterval = 24 * time.Hour
	longestTimeout  = 10 * time.Minute
)

func (h Health) check(p report.Place) {
	var given []string
	if len(h.Command) > 0 {
		given = append(given, "command")
	}
	if h.HTTP != nil {
		given = append(given, "http")
	}
	if h.TCP != nil {
		given = append(given, "tcp")
	}
	switch len(given) {
	case 0:
		p.Missing("command", "none of command, http and tcp is set, so there is nothing to ask", "set one of them")
	case 1:
	default:
		p.Conflict(given[1], nil, strings.Join(given, " and ")+" are set, and a container is asked in one way", "keep one of them")
	}
	checkSpan(p, "interval", h.Interval, shortest, longestInterval)
	checkSpan(p, "timeout", h.Timeout, shortest, longestTimeout)
	checkSpan(p, "start-period", h.StartPeriod, 0, longestInterval)
}

func checkSpan(p report.Place, key string, s *Span, low, high time.Duration) {
	if s == nil {
		return
	}
	if v := s.Value(); v < low || v > high {
		p.Conflict(key, s, fmt.Sprintf("%s is out of range", s), fmt.Sprintf("give a time from %s to %s", low, high))
	}
}

// checkAfter reports names of no container, and containers that would wait for
// themselves.
func (s *Settings) checkAfter(name Name, c Container, p report.Place) {
	for _, other := range c.After {
		if _, ok := (*s)[other]; !ok {
			p.Conflict("after", other, "there is no container "+other.String(), "name containers of settings.containers, or take it out")
		}
	}
	if s.waitsFor(name, name, map[Name]bool{}) {
		p.Conflict("after", c.After, "the container would wait for itself, by way of those that it starts after", "take one of them out of after")
	}
}

// waitsFor reports whether the container called name starts after other, perhaps
// by way of more. It passes over those in seen.
func (s *Settings) waitsFor(name, other Name, seen map[Name]bool) bool {
	c, ok := (*s)[name]
	if seen[name] || !ok {
		return false
	}
	seen[name] = true
	return slices.ContainsFunc(c.After, func(first Name) bool { return first == other || s.waitsFor(first, other, seen) })
}
