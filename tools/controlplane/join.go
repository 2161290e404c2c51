package controlplane

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
)

// AddToken lets nodes join that show the token, until it ends.
func (c *ControlPlane) AddToken(ctx context.Context, t kubepki.Token, end time.Time) error {
	secret, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
		"metadata": map[string]string{"name": "bootstrap-token-" + t.ID, "namespace": "kube-system"},
		"stringData": map[string]string{
			"token-id": t.ID, "token-secret": t.Secret, "expiration": end.UTC().Format(time.RFC3339),
			"usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
		},
	})
	if err != nil {
		return err
	}
	return c.Client.Apply(ctx, secret)
}

// A Joining is what a node must know to join a cluster.
type Joining struct {
	Name   string // of the cluster
	Server string // address of the API, as nodes reach it
	CA     []byte // PEM
	Token  kubepki.Token
}

// Join returns what nodes must know that show the token.
func (c *ControlPlane) Join(t kubepki.Token) Joining {
	return NewJoining(c.opt.Name, c.opt.Address, c.Port, c.pki, t)
}

// NewJoining returns what nodes must know of a control plane that need not run
// yet.
func NewJoining(name, address string, port int, pki *kubepki.PKI, t kubepki.Token) Joining {
	return Joining{Name: name, Server: fmt.Sprintf("https://%s:%d", address, port), CA: pki.Bundle(kubepki.Cluster), Token: t}
}

// Settings returns the settings of a node that joins, as TOML.
func (j Joining) Settings() string {
	return fmt.Sprintf(`[settings.kubernetes]
api-server = %q
cluster-certificate = %q
cluster-name = %q
bootstrap-token = %q
cluster-dns-ip = %q
cluster-domain = %q
authentication-mode = "tls"
server-tls-bootstrap = true
`, j.Server, base64.StdEncoding.EncodeToString(j.CA), j.Name, j.Token, DNS, Domain)
}
