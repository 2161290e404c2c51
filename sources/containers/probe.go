package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/containernet"
	"github.com/bulkhead-os/bulkhead/sources/internal/hostcontainerd"
)

// startPoll is how often a container is asked that was just started: others wait
// for it.
const startPoll = 500 * time.Millisecond

// probe asks a container how it is, once; one that was not well since it was
// started, again and again until the next probe is due.
func (p *host) probe(ctx context.Context, name string) error {
	d, err := p.read(name)
	if err != nil {
		return err
	}
	s, err := p.load(name)
	if err != nil || d.Container.Health == nil || s.Started.IsZero() {
		return err // it does not run, which is told elsewhere
	}
	h := d.Container.Health
	end := time.Now().Add(h.interval())
	for {
		err = p.ask(ctx, name, d.Container)
		if err == nil || s.Healthy || time.Now().Add(startPoll).After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startPoll):
		}
	}
	if ctx.Err() != nil {
		return nil // the container is stopped
	}
	return p.note(name, s.Started, h, err)
}

// note keeps what a probe found of the container that was started at the time.
func (p *host) note(name string, started time.Time, h *health, err error) error {
	return p.change(name, func(s *state) {
		if !s.Started.Equal(started) {
			return // it is another one
		}
		if err == nil {
			if s.Failures > 0 {
				p.log.Warn("container answers well again", "container", name)
			}
			s.Healthy, s.Failures = true, 0
			if s.Fault != nil && s.Fault.Code == codeUnhealthy {
				s.Fault = nil
			}
			return
		}
		if time.Since(started) < h.StartPeriod.Value() {
			return
		}
		s.Failures++
		p.log.Warn("container does not answer well", "container", name, "failures", s.Failures, "error", err)
		if s.Failures >= h.retries() {
			s.Healthy = false
			s.Fault = fault(name, codeUnhealthy, looking(name), "it runs, and its health check fails: %v", err)
		}
	})
}

// ask asks a container once.
func (p *host) ask(ctx context.Context, name string, c container) error {
	h := c.Health
	ctx, cancel := context.WithTimeout(ctx, h.timeout())
	defer cancel()
	if len(h.Command) > 0 {
		return p.with(ctx, func(client *hostcontainerd.Client) error { return p.command(ctx, client, name, h.Command) })
	}
	host := "127.0.0.1"
	if c.bridged() {
		address, ok, err := containernet.Network{Dir: containernet.Dir}.Address(name)
		if err != nil || !ok {
			return errors.Join(err, errors.New("it has no address"))
		}
		host = address.String()
	}
	if h.HTTP != "" {
		return get(ctx, h.HTTP, host)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(h.TCP)))
	if err != nil {
		return err
	}
	return conn.Close()
}

// get asks the container at host for address, in which it is called localhost.
func get(ctx context.Context, address, host string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	u.Host = net.JoinHostPort(host, u.Port())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Host = "localhost:" + u.Port()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("GET %s: %s, want a status from 200 to 399", address, strings.ToValidUTF8(resp.Status, "?"))
	}
	return nil
}

// command runs words in a container. What it writes is told when it fails, to the
// journal alone: it may be anything.
func (p *host) command(ctx context.Context, c *hostcontainerd.Client, name string, words []string) error {
	status, output, err := c.Command(ctx, id(name), words)
	if err != nil {
		return err
	}
	if status != 0 {
		p.log.Warn("command in container failed", "container", name, "status", status, "output", output)
		return exit{fmt.Errorf("%s ended with exit status %d", words[0], status), int(status)}
	}
	return nil
}
