package imds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A Document is the identity document of an instance, as far as it is used.
type Document struct {
	AccountID    string `json:"accountId"`
	Architecture string `json:"architecture"`
	Zone         string `json:"availabilityZone"`
	ImageID      string `json:"imageId"`
	InstanceID   string `json:"instanceId"`
	InstanceType string `json:"instanceType"`
	PrivateIP    string `json:"privateIp"`
	Region       string `json:"region"`
}

// Document returns the identity document.
func (c *Client) Document(ctx context.Context) (Document, error) {
	text, err := c.Get(ctx, "dynamic/instance-identity/document")
	if err != nil {
		return Document{}, err
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return Document{}, fmt.Errorf("identity document: %w", err)
	}
	if d.Region == "" || d.InstanceID == "" {
		return Document{}, errors.New("identity document: it names no region or no instance")
	}
	return d, nil
}

// Text returns what the service has at a path below meta-data, without white
// space round it.
func (c *Client) Text(ctx context.Context, path string) (string, error) {
	text, err := c.Get(ctx, "meta-data/"+path)
	return strings.TrimSpace(string(text)), err
}

// List returns the names in a directory below meta-data, or the lines of a value
// that is a list.
func (c *Client) List(ctx context.Context, path string) ([]string, error) {
	text, err := c.Text(ctx, path)
	if err != nil {
		return nil, err
	}
	return strings.Fields(text), nil
}

// A Source takes the user data of the instance.
type Source struct{ Client *Client }

// Name says what the place is, for people.
func (Source) Name() string { return "the metadata service" }

// Where says where it is looked for.
func (s Source) Where() string {
	return strings.ReplaceAll(strings.Join(s.Client.endpoints, " and "), "http://", "")
}

// Read returns the user data of the instance, and what it is called.
func (s Source) Read(ctx context.Context) (platform.Data, error) {
	text, err := s.Client.Get(ctx, "user-data")
	if err != nil && !errors.Is(err, ErrAbsent) {
		return platform.Data{}, err
	}
	d := platform.Data{UserData: text}
	if len(text) > 0 {
		d.From = "user data of the instance"
	}
	if d.InstanceID, err = s.name(ctx, "instance-id"); err != nil {
		return d, err
	}
	d.Hostname, err = s.name(ctx, "local-hostname")
	return d, err
}

// name returns a name that the service may know.
func (s Source) name(ctx context.Context, path string) (string, error) {
	text, err := s.Client.Text(ctx, path)
	if errors.Is(err, ErrAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name, err := platform.Name(text)
	if err != nil {
		return "", fmt.Errorf("%s of the metadata service: %w", path, err)
	}
	return name, nil
}
