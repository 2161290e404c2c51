package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// List tells of the machines of the cluster, in the order of their numbers.
func (c Cluster) List(ctx context.Context) ([]Status, error) {
	alive, err := c.Alive()
	if err != nil {
		return nil, err
	}
	if alive {
		var all []Status
		err := c.ask(ctx, http.MethodGet, "/machines", nil, &all)
		if err == nil || !c.dying(ctx) {
			return all, err
		}
	}
	all, err := c.saved()
	for i := range all {
		if all[i].State == Running {
			all[i].State, all[i].Why, all[i].PID = Off, lost, 0
		}
	}
	return all, err
}

// dyingTime is how long a process may take to die. What it has open is closed
// one after the other, so that its socket may be gone before its lock.
const dyingTime = time.Second

// dying reports whether the supervisor that did not answer is dead, or is so in
// a moment.
func (c Cluster) dying(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, dyingTime)
	defer cancel()
	return c.gone(ctx) == nil
}

// Find tells of one machine.
func (c Cluster) Find(ctx context.Context, machine string) (Status, bool, error) {
	all, err := c.List(ctx)
	for _, s := range all {
		if s.Name == machine {
			return s, true, err
		}
	}
	return Status{}, false, err
}

// Start switches a machine on, unless it is. The cluster must have a supervisor.
func (c Cluster) Start(ctx context.Context, spec Spec) (Status, error) {
	var s Status
	err := c.ask(ctx, http.MethodPut, "/machines/"+spec.Name, spec, &s)
	return s, err
}

// Stop switches a machine off.
func (c Cluster) Stop(ctx context.Context, machine string, way Way) error {
	return c.ask(ctx, http.MethodPost, "/machines/"+machine+"/stop?way="+string(way), nil, nil)
}

// End switches all machines off and ends the supervisor. Without one there is
// nothing to do.
func (c Cluster) End(ctx context.Context, way Way) error {
	if alive, err := c.Alive(); !alive || err != nil {
		return err
	}
	if err := c.ask(ctx, http.MethodPost, "/end?way="+string(way), nil, nil); err != nil {
		return err
	}
	return c.gone(ctx)
}

// gone waits until the supervisor, which has nothing left to do, has ended.
func (c Cluster) gone(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if alive, err := c.Alive(); !alive || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of the supervisor of %s: %w", c.Name, context.Cause(ctx))
		}
	}
}

// Delete removes the cluster with all its machines. It must have no supervisor.
func (c Cluster) Delete() error {
	if alive, err := c.Alive(); alive || err != nil {
		return errors.Join(err, fmt.Errorf("delete %s: its machines are on", c.Name))
	}
	return os.RemoveAll(c.Dir)
}

// Type types text at the console of a machine.
func (c Cluster) Type(ctx context.Context, machine string, text []byte) error {
	body, err := c.send(ctx, http.MethodPost, "/machines/"+machine+"/input", bytes.NewReader(text))
	if err != nil {
		return err
	}
	return body.Close()
}

// Follow returns what a machine wrote to its console since it was switched on,
// and what it writes until it is off. It must be closed.
func (c Cluster) Follow(ctx context.Context, machine string) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, "/machines/"+machine+"/console", nil)
}

// ask sends a question with a body and decodes the answer. Both may be nil.
func (c Cluster) ask(ctx context.Context, method, path string, question, into any) error {
	var body io.Reader
	if question != nil {
		data, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	got, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer got.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(got).Decode(into); err != nil {
		return fmt.Errorf("supervisor of %s: %w", c.Name, err)
	}
	return nil
}

// send sends a request to the supervisor and returns the body of its answer.
func (c Cluster) send(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, body)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("supervisor of %s: %w", c.Name, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	return nil, errors.New(strings.TrimSpace(string(text)))
}

func (c Cluster) dial(ctx context.Context, _, _ string) (conn net.Conn, err error) {
	err = c.atSocket(func(path string) error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}
