package kubeclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Apply makes objects be as manifests, documents of YAML, say.
func (c *Client) Apply(ctx context.Context, manifests []byte) error {
	in := yaml.NewDecoder(bytes.NewReader(manifests))
	for {
		var object map[string]any
		err := in.Decode(&object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if object == nil {
			continue // between two lines of hyphens
		}
		if err := c.apply(ctx, object); err != nil {
			return err
		}
	}
}

func (c *Client) apply(ctx context.Context, object map[string]any) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	var about struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := json.Unmarshal(text, &about); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	path, err := c.path(ctx, about.APIVersion, about.Kind, about.Metadata.Namespace)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", about.Kind, about.Metadata.Name, err)
	}
	_, err = c.Do(ctx, Request{
		Method: http.MethodPatch, Path: path + "/" + about.Metadata.Name, Type: "application/apply-patch+yaml", Body: text,
		Query: url.Values{"fieldManager": {manager}, "force": {"true"}, "fieldValidation": {"Strict"}},
	})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", about.Kind, about.Metadata.Name, err)
	}
	return nil
}

// path returns where objects of a kind are.
func (c *Client) path(ctx context.Context, version, kind, namespace string) (string, error) {
	root := "/apis/" + version
	if !strings.Contains(version, "/") {
		root = "/api/" + version
	}
	r, err := c.resource(ctx, root, kind)
	if err != nil {
		return "", err
	}
	switch {
	case !r.Namespaced:
		return root + "/" + r.Name, nil
	case namespace == "":
		namespace = "default"
	}
	return root + "/namespaces/" + namespace + "/" + r.Name, nil
}

func (c *Client) resource(ctx context.Context, root, kind string) (resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kinds[root] == nil {
		var list struct{ Resources []resource }
		if err := c.Get(ctx, root, &list); err != nil {
			return resource{}, err
		}
		kinds := map[string]resource{}
		for _, r := range list.Resources {
			if !strings.Contains(r.Name, "/") {
				kinds[r.Kind] = r
			}
		}
		c.kinds[root] = kinds
	}
	r, ok := c.kinds[root][kind]
	if !ok {
		return resource{}, fmt.Errorf("the cluster has no %s in %s", kind, root)
	}
	return r, nil
}
