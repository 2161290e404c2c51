// Package kubeclient asks the API of a Kubernetes cluster what tools and tests
// have to know.
//
// It speaks the API's own HTTP and JSON. The library of Kubernetes would be many
// times the size of all else that tools are made of.
package kubeclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// manager is who the fields belong to that are set with Apply.
const manager = "shipyard"

// answering is how long an answer may take.
const answering = time.Minute

// A Client talks to one cluster as one user.
type Client struct {
	server string
	tls    *tls.Config
	http   *http.Client

	mu    sync.Mutex // guards kinds
	kinds map[string]map[string]resource
}

// A resource is what the objects of a kind are called in paths.
type resource struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// Load returns a client for the current context of the kubeconfig in file, which
// must hold all that it names.
func Load(file string) (*Client, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := New(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// New returns a client for the only cluster and user of a kubeconfig.
func New(kubeconfig []byte) (*Client, error) {
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     string `yaml:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert string `yaml:"client-certificate-data"`
				Key  string `yaml:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal(kubeconfig, &config); err != nil {
		return nil, err
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, fmt.Errorf("it has %d clusters and %d users, want one of each", len(config.Clusters), len(config.Users))
	}
	var ca, cert, key []byte
	for into, text := range map[*[]byte]string{&ca: config.Clusters[0].Cluster.CA, &cert: config.Users[0].User.Cert, &key: config.Users[0].User.Key} {
		if err := json.Unmarshal([]byte(`"`+text+`"`), into); err != nil { // base64
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("it holds no certificate of an authority")
	}
	t := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return &Client{
		server: config.Clusters[0].Cluster.Server, tls: t, kinds: map[string]map[string]resource{},
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true}},
	}, nil
}

// Close ends connections that wait for another use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A StatusError is the answer of the API to what it refused.
type StatusError struct {
	Code    int    // of HTTP
	Message string // of the API
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s (status %d)", e.Message, e.Code) }

// IsNotFound reports whether the API said that there is no such object.
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*StatusError](err)
	return ok && e.Code == http.StatusNotFound
}

// A Request is one call of the API.
type Request struct {
	Method string // GET if empty
	Path   string
	Query  url.Values
	Type   string // of the body; JSON if empty
	Body   []byte
}

// Do sends a request and returns the body of the answer.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, c.server+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = r.Query.Encode()
	req.Header.Set("Accept", "application/json, text/plain, */*")
	req.Header.Set("Content-Type", r.Type)
	if r.Type == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %w", req.Method, r.Path, refusal(resp.StatusCode, text))
	}
	return text, nil
}

func refusal(code int, text []byte) *StatusError {
	e := &StatusError{Code: code}
	if json.Unmarshal(text, e) != nil || e.Message == "" {
		e.Message = string(bytes.TrimSpace(text))
	}
	e.Code = code
	return e
}

// Get decodes what is at path.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	text, err := c.Do(ctx, Request{Path: path})
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Delete deletes the object at path. None there is none to delete.
func (c *Client) Delete(ctx context.Context, path string) error {
	_, err := c.Do(ctx, Request{Method: http.MethodDelete, Path: path})
	if IsNotFound(err) {
		return nil
	}
	return err
}
