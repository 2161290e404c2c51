package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// A Container is one of a node that no orchestrator runs.
type Container struct {
	Name         string     `json:"name"`
	Kind         string     `json:"kind"`           // host, bootstrap, declared or debug
	Unit         string     `json:"unit,omitempty"` // that runs it, and has what it writes in the journal
	Image        string     `json:"image,omitempty"`
	Digest       string     `json:"digest,omitempty"` // of the image that it was made from
	State        string     `json:"state"`            // off, starting, running, stopping, waiting, stopped or failed
	Started      *time.Time `json:"started,omitempty"`
	ExitStatus   *int       `json:"exit_status,omitempty"` // when it has ended
	Restarts     int        `json:"restarts"`
	Superpowered bool       `json:"superpowered,omitempty"`
}

// A ContainerImage is an image on a node.
type ContainerImage struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// Containers lists the containers of the node.
func (c *Client) Containers(ctx context.Context) ([]Container, error) {
	var list []Container
	_, err := c.do(ctx, Request{URI: "/containers"}, &list)
	return list, err
}

// StartContainer starts a container that was stopped.
func (c *Client) StartContainer(ctx context.Context, name string) error {
	return c.container(ctx, name, "start")
}

// StopContainer stops a container. The settings still want it.
func (c *Client) StopContainer(ctx context.Context, name string) error {
	return c.container(ctx, name, "stop")
}

// RestartContainer makes a container anew from its image.
func (c *Client) RestartContainer(ctx context.Context, name string) error {
	return c.container(ctx, name, "restart")
}

func (c *Client) container(ctx context.Context, name, verb string) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, URI: "/containers/" + url.PathEscape(name) + "/" + verb})
	return err
}

// PullImage has the node fetch an image. Progress is told of the bytes that were
// fetched, and of those that there are as far as is known.
func (c *Client) PullImage(ctx context.Context, image string, progress func(done, total int64)) (ContainerImage, error) {
	r := Request{Method: http.MethodPost, URI: uri("/containers/pull", "image", image)}
	body, err := c.open(ctx, r)
	if err != nil {
		return ContainerImage{}, err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		var line struct {
			Done    int64           `json:"done"`
			Total   int64           `json:"total"`
			Image   *ContainerImage `json:"image"`
			Problem *Problem        `json:"problem"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return ContainerImage{}, fmt.Errorf("%s %s: read the answer: %w", r.Method, r.URI, err)
		}
		switch {
		case line.Problem != nil:
			line.Problem.Method, line.Problem.URI = r.Method, r.URI
			return ContainerImage{}, line.Problem
		case line.Image != nil:
			return *line.Image, nil
		}
		progress(line.Done, line.Total)
	}
	err = lines.Err()
	if err == nil {
		err = errors.New("it broke off")
	}
	return ContainerImage{}, fmt.Errorf("%s %s: read the answer: %w", r.Method, r.URI, cause(err))
}

// LoadImage gives the node the image in an archive of size bytes, for a debug
// container.
func (c *Client) LoadImage(ctx context.Context, archive io.Reader, size int64) (ContainerImage, error) {
	var image ContainerImage
	_, err := c.do(ctx, Request{Method: http.MethodPost, URI: "/debug/image", ContentType: "application/x-tar", Stream: archive, Length: size}, &image)
	return image, err
}

// Upgrader returns what sends requests for another protocol, as WebSocket, to the
// API. Their scheme and host are not looked at. An answer that refuses one is a
// *Problem, and the body of any other is written and read by the caller.
func (c *Client) Upgrader() http.RoundTripper { return upgrader{c} }

type upgrader struct{ api *Client }

// RoundTrip sends r.
func (u upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	h, err := u.api.transport()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", "localhost", "localhost"
	if remote := u.api.Remote; remote != nil {
		r.URL.Scheme, r.URL.Host, r.Host = "https", remote.Endpoint, remote.Endpoint
	}
	as := Request{Method: r.Method, URI: r.URL.RequestURI()}
	start := time.Now()
	res, err := h.Transport.RoundTrip(r)
	if err != nil {
		return nil, u.api.sendError(as, err)
	}
	if u.api.Trace != nil {
		u.api.Trace(Exchange{Method: as.Method, URI: as.URI, Status: res.StatusCode, Took: time.Since(start)})
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", as.Method, as.URI, cause(err))
	}
	return nil, u.api.problem(as, res, body)
}
