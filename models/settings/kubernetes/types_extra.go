package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// A KubeletExtra is a part of a KubeletConfiguration in YAML or JSON, which the
// kubelet lays over what the other settings give. It has only fields that a
// kubelet knows, of the types it takes, and none on which the node counts.
type KubeletExtra struct{ s string }

// extraMax bounds the text, which becomes a file as it is.
const extraMax = 32 << 10

// ParseKubeletExtra returns the part written as s.
func ParseKubeletExtra(s string) (KubeletExtra, error) {
	if len(s) > extraMax {
		return KubeletExtra{}, fmt.Errorf("kubelet configuration has %d bytes, want at most %d", len(s), extraMax)
	}
	decoder := yaml.NewDecoder(strings.NewReader(s))
	var doc, next yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return KubeletExtra{s}, nil
	case err != nil:
		return KubeletExtra{}, fmt.Errorf("kubelet configuration is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		return KubeletExtra{}, errors.New("kubelet configuration has more than one YAML document, want one")
	}
	var c extraCheck
	c.node(doc.Content[0], "")
	if len(c.faults) > 0 {
		return KubeletExtra{}, fmt.Errorf("kubelet configuration: %s", strings.Join(c.faults, "; "))
	}
	return KubeletExtra{s}, nil
}

// Rule describes the accepted texts.
func (KubeletExtra) Rule() scalar.Rule {
	return scalar.Rule{
		Name:     "kubelet configuration",
		Want:     "fields of a KubeletConfiguration (kubelet.config.k8s.io/v1beta1) in YAML or JSON",
		MaxBytes: extraMax,
		Examples: []string{"containerLogMaxSize: 50Mi\n", `{"nodeStatusMaxImages": 100}`},
	}
}

// String returns the text as it was written.
func (e KubeletExtra) String() string { return e.s }

// MarshalText returns the text as it was written.
func (e KubeletExtra) MarshalText() ([]byte, error) { return []byte(e.s), nil }

// UnmarshalText reads a text.
func (e *KubeletExtra) UnmarshalText(b []byte) (err error) {
	*e, err = ParseKubeletExtra(string(b))
	return err
}
