package kubepki

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// Kubeconfig returns a file for kubectl and its like, with which the user whose
// certificate is in FILE.crt calls the API at server. It holds all that it names.
func (p *PKI) Kubeconfig(cluster, server, file string) ([]byte, error) {
	cert, err := os.ReadFile(p.Path(file + ".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.Path(file + ".key"))
	if err != nil {
		return nil, err
	}
	type named struct {
		Name    string `json:"name"`
		Cluster any    `json:"cluster,omitempty"`
		User    any    `json:"user,omitempty"`
		Context any    `json:"context,omitempty"`
	}
	user := cluster + "-" + file
	text, err := json.MarshalIndent(map[string]any{ // which is YAML as well
		"apiVersion": "v1", "kind": "Config", "current-context": cluster,
		"clusters": []named{{Name: cluster, Cluster: map[string]any{"server": server, "certificate-authority-data": p.Bundle(Cluster)}}},
		"users":    []named{{Name: user, User: map[string]any{"client-certificate-data": cert, "client-key-data": key}}},
		"contexts": []named{{Name: cluster, Context: map[string]string{"cluster": cluster, "user": user}}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("kubeconfig of %s: %w", file, err)
	}
	return append(text, '\n'), nil
}

// WriteKubeconfig puts what Kubeconfig returns into the file at path.
func (p *PKI) WriteKubeconfig(path, cluster, server, file string) error {
	text, err := p.Kubeconfig(cluster, server, file)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o600)
}
