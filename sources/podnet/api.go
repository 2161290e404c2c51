package podnet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// An API is that of the cluster, as a pod calls it.
type API struct {
	Server  string // https://192.0.2.1:6443
	Account string // directory with token and ca.crt
}

// watching is how long one call watches.
const watching = 5 * time.Minute

// A wireNode is a node as the API tells of it.
type wireNode struct {
	Metadata struct{ Name, ResourceVersion string }
	Spec     struct{ PodCIDR string }
	Status   struct {
		Addresses []struct{ Type, Address string }
	}
}

func (w wireNode) node() (Node, error) {
	n := Node{Name: w.Metadata.Name}
	for _, a := range w.Status.Addresses {
		addr, err := netip.ParseAddr(a.Address)
		if a.Type == "InternalIP" && err == nil && addr.Is4() && !n.Addr.IsValid() {
			n.Addr = addr
		}
	}
	if w.Spec.PodCIDR == "" {
		return n, nil
	}
	var err error
	n.Pods, err = netip.ParsePrefix(w.Spec.PodCIDR)
	return n, err
}

// Watch calls tell with all nodes of the cluster, and again when they change. It
// returns after a while, and when anything fails.
func (a API) Watch(ctx context.Context, tell func([]Node) error) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []wireNode
	}
	body, err := a.get(ctx, client, "/api/v1/nodes")
	if err != nil {
		return err
	}
	err = errors.Join(json.NewDecoder(body).Decode(&list), body.Close())
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	known := map[string]Node{}
	for _, w := range list.Items {
		if known[w.Metadata.Name], err = w.node(); err != nil {
			return fmt.Errorf("node %s: %w", w.Metadata.Name, err)
		}
	}
	if err := tell(values(known)); err != nil {
		return err
	}
	return a.follow(ctx, client, list.Metadata.ResourceVersion, known, tell)
}

// follow tells of changes from a version on.
func (a API) follow(ctx context.Context, client *http.Client, version string, known map[string]Node, tell func([]Node) error) error {
	body, err := a.get(ctx, client, fmt.Sprintf("/api/v1/nodes?watch=true&resourceVersion=%s&timeoutSeconds=%d", version, int(watching.Seconds())))
	if err != nil {
		return err
	}
	defer body.Close()
	events := json.NewDecoder(body)
	for {
		var event struct {
			Type   string
			Object wireNode
		}
		err := events.Decode(&event)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch nodes: %w", err)
		}
		name := event.Object.Metadata.Name
		before, was := known[name]
		switch event.Type {
		case "ADDED", "MODIFIED":
			if known[name], err = event.Object.node(); err != nil {
				return fmt.Errorf("node %s: %w", name, err)
			}
		case "DELETED":
			delete(known, name)
		default:
			return fmt.Errorf("watch nodes: event %s", event.Type)
		}
		if now, is := known[name]; was == is && before == now {
			continue // nodes say again and again that they are well
		}
		if err := tell(values(known)); err != nil {
			return err
		}
	}
}

func values(known map[string]Node) []Node {
	all := make([]Node, 0, len(known))
	for _, n := range known {
		all = append(all, n)
	}
	return all
}

func (a API) client() (*http.Client, error) {
	ca, err := os.ReadFile(filepath.Join(a.Account, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(a.Account, "ca.crt"))
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}, nil
}

// get returns the body of an answer, which must be closed. The token is replaced
// from time to time, so it is read each time.
func (a API) get(ctx context.Context, client *http.Client, path string) (io.ReadCloser, error) {
	token, err := os.ReadFile(filepath.Join(a.Account, "token"))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Server+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return nil, errors.Join(fmt.Errorf("GET %s: %s: %s", path, resp.Status, strings.TrimSpace(string(text))), err, resp.Body.Close())
}
