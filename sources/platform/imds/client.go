// Package imds asks the instance metadata service of EC2, and finds user data
// there.
//
// Only version 2 of the service is spoken: each session has a token. The service
// is asked over IPv4 and IPv6, as a machine may have either, again and again
// while the network comes up or too much is asked of it.
package imds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// Endpoints returns where the service is.
func Endpoints() []string { return []string{"http://169.254.169.254", "http://[fd00:ec2::254]"} }

// Headers of the protocol.
const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

// How long things may take. An answer beyond the hop limit never comes.
const (
	connectTime = time.Second
	answerTime  = 5 * time.Second
)

// life is how long a token is asked for, and early how long before its end the
// next one is.
const (
	life  = 6 * time.Hour
	early = time.Minute
)

// ErrAbsent says that the service is there and does not have what was asked for.
var ErrAbsent = errors.New("the instance has none")

// errOff says that the owner of the instance has switched the service off. It
// still answers then, as it does when it is asked for what it keeps to itself.
var errOff = fmt.Errorf("the metadata service forbids it: %w for this instance", platform.ErrOff)

// A Client asks the service. It may be used by several callers at a time.
type Client struct {
	endpoints []string
	http      *http.Client
	now       func() time.Time

	mu       sync.Mutex // guards what follows
	endpoint string     // that answered; empty if none has
	token    string
	renew    time.Time
}

// New returns a client of the service at the endpoints, those of EC2 if there
// are none.
func New(endpoints ...string) *Client {
	if len(endpoints) == 0 {
		endpoints = Endpoints()
	}
	return &Client{
		endpoints: endpoints, now: time.Now,
		http: &http.Client{
			Timeout: answerTime,
			Transport: &http.Transport{
				Proxy:                 nil, // it is on this machine's own link, and refuses what comes through one
				DialContext:           (&net.Dialer{Timeout: connectTime}).DialContext,
				ResponseHeaderTimeout: answerTime,
				MaxIdleConns:          2, IdleConnTimeout: answerTime, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Get returns what the service has at a path such as meta-data/instance-id. It
// tries until ctx ends, so that has to end.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	var out []byte
	renewed := false
	err := platform.Retry(ctx, func(ctx context.Context) error {
		endpoint, token, err := c.session(ctx)
		if err != nil {
			return err
		}
		out, err = c.ask(ctx, http.MethodGet, endpoint+"/latest/"+path, tokenHeader, token)
		if s, ok := errors.AsType[*statusError](err); ok && s.status == http.StatusUnauthorized && !renewed {
			renewed = true // it ended, or the machine was moved
			c.forget(token)
			return &platform.Later{Err: err}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the metadata service for %s: %w", path, err)
	}
	return out, nil
}

// forget drops a token that is refused.
func (c *Client) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}

// session returns the endpoint that answers, and a token of it.
func (c *Client) session(ctx context.Context) (endpoint, token string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.now().Before(c.renew) {
		return c.endpoint, c.token, nil
	}
	endpoints := c.endpoints
	if c.endpoint != "" {
		endpoints = []string{c.endpoint}
	}
	var faults []error
	for _, e := range endpoints {
		text, err := c.ask(ctx, http.MethodPut, e+"/latest/api/token", ttlHeader, strconv.Itoa(int(life/time.Second)))
		if err == nil && !usable(text) {
			err = fmt.Errorf("%s gives a token that is none", e)
		}
		if err == nil {
			c.endpoint, c.token, c.renew = e, string(text), c.now().Add(life-early)
			return c.endpoint, c.token, nil
		}
		if _, later := errors.AsType[*platform.Later](err); !later {
			return "", "", err // it answered
		}
		faults = append(faults, err)
	}
	c.endpoint = "" // the other one may come back
	return "", "", &platform.Later{Err: errors.Join(faults...), After: longest(faults)}
}

// longest returns the longest time that was asked to wait.
func longest(faults []error) time.Duration {
	var after time.Duration
	for _, f := range faults {
		if later, ok := errors.AsType[*platform.Later](f); ok {
			after = max(after, later.After)
		}
	}
	return after
}

// usable reports whether text can stand in a header.
func usable(text []byte) bool {
	return len(text) > 0 && len(text) <= 1024 && !strings.ContainsFunc(string(text), func(r rune) bool { return r <= ' ' || r > '~' })
}

// A statusError is an answer other than the one wanted.
type statusError struct {
	url    string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.url, e.status, http.StatusText(e.status))
}

// ask makes one request. That there is no answer may change.
func (c *Client) ask(ctx context.Context, method, url, header, value string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(header, value)
	req.Header.Set("User-Agent", "bulkhead")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &platform.Later{Err: err}
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, ErrAbsent
	case http.StatusForbidden:
		return nil, errOff
	default:
		err := &statusError{url, resp.StatusCode}
		if later := platform.Wait(resp, err); later != nil {
			return nil, later
		}
		return nil, err
	}
	body, err := platform.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, platform.ErrTooLarge) {
		return nil, &platform.Later{Err: err} // it broke off
	}
	return body, err
}
