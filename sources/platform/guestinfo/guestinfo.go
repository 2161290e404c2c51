// Package guestinfo finds user data in the variables that VMware keeps for a
// virtual machine.
//
// guestinfo.userdata holds the text, guestinfo.userdata.encoding how it is
// written, guestinfo.metadata what the machine is called, and guestinfo.ovfEnv
// the environment of the OVF that it was made of. They are asked for by the
// hypervisor's back door, a port that needs no rights: the hypervisor answers
// before the processor looks whether the program may use it.
package guestinfo

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/models/userdata"
	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A Host answers commands of the guest.
type Host interface {
	// Call sends a command and returns the answer, without the word that tells
	// whether it was carried out. ErrNotSet says that it was not.
	Call(ctx context.Context, command string) ([]byte, error)
}

// ErrNotSet says that the host knows no such variable.
var ErrNotSet = errors.New("no such variable is set")

// A Source asks the host.
type Source struct{ Host Host }

// Name says what the place is, for people.
func (Source) Name() string { return "guestinfo" }

// Read returns what the variables hold. The environment of the OVF counts where
// there is no guestinfo.userdata.
func (s Source) Read(ctx context.Context) (platform.Data, error) {
	text, err := s.variable(ctx, "guestinfo.userdata")
	if err != nil {
		return platform.Data{}, err
	}
	d := platform.Data{UserData: text, From: "guestinfo.userdata"}
	if len(text) == 0 {
		if d, err = s.environment(ctx); err != nil {
			return d, err
		}
	}
	meta, err := s.variable(ctx, "guestinfo.metadata")
	if err != nil {
		return platform.Data{}, err
	}
	return describe(d, meta)
}

// environment returns the user data in the environment of the OVF.
func (s Source) environment(ctx context.Context) (platform.Data, error) {
	text, err := s.get(ctx, "guestinfo.ovfEnv")
	if err != nil || len(text) == 0 {
		return platform.Data{}, err
	}
	data, err := OVF(text)
	if err != nil {
		return platform.Data{}, fmt.Errorf("guestinfo.ovfEnv: %w", err)
	}
	return platform.Data{UserData: data, From: "guestinfo.ovfEnv"}, nil
}

// variable returns a variable whose encoding another one tells.
func (s Source) variable(ctx context.Context, name string) ([]byte, error) {
	encoding, err := s.get(ctx, name+".encoding")
	if err != nil {
		return nil, err
	}
	decode, err := decoder(string(encoding))
	if err != nil {
		return nil, fmt.Errorf("%s.encoding: %w", name, err)
	}
	text, err := s.get(ctx, name)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return nil, err
	}
	if text, err = decode(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// get returns a variable as it is, or nothing if it is not set.
func (s Source) get(ctx context.Context, name string) ([]byte, error) {
	text, err := s.Host.Call(ctx, "info-get "+name)
	switch {
	case errors.Is(err, ErrNotSet):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) > platform.MaxBytes:
		return nil, fmt.Errorf("%s: %w", name, platform.ErrTooLarge)
	}
	return text, nil
}

// decoder returns what undoes an encoding. Packing is undone with the text, which
// shows by itself that it is packed.
func decoder(encoding string) (func([]byte) ([]byte, error), error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "raw":
		return func(b []byte) ([]byte, error) { return b, nil }, nil
	case "base64", "b64":
		return fromBase64, nil
	case "gzip+base64", "gz+b64":
		return packed, nil
	}
	return nil, fmt.Errorf("%.40q, want base64, gzip+base64 or raw", encoding)
}

func packed(text []byte) ([]byte, error) {
	data, err := fromBase64(text)
	if err == nil && !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		err = errors.New("it is not packed with gzip, although its encoding says so")
	}
	return data, err
}

// fromBase64 decodes text, which may have been broken into lines.
func fromBase64(text []byte) ([]byte, error) {
	text = bytes.Join(bytes.Fields(text), nil)
	if len(text) > userdata.MaxPacked {
		return nil, fmt.Errorf("it has %d bytes in base64, want at most %d", len(text), userdata.MaxPacked)
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil {
		return nil, fmt.Errorf("it is not base64: %w", err)
	}
	return out[:n], nil
}

// describe adds what guestinfo.metadata, in YAML or JSON and packed or not, says
// about the machine.
func describe(d platform.Data, text []byte) (platform.Data, error) {
	text, err := unpack(text)
	var m struct {
		InstanceID    string    `yaml:"instance-id"`
		LocalHostname string    `yaml:"local-hostname"`
		Hostname      string    `yaml:"hostname"`
		Network       yaml.Node `yaml:"network"`
	}
	if err == nil {
		err = yaml.Unmarshal(text, &m)
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return d, fmt.Errorf("guestinfo.metadata: %s", first)
	}
	if m.LocalHostname != "" {
		m.Hostname = m.LocalHostname
	}
	var host, instance error
	d.Hostname, host = platform.Name(m.Hostname)
	d.InstanceID, instance = platform.Name(m.InstanceID)
	if err := errors.Join(host, instance); err != nil {
		return d, fmt.Errorf("guestinfo.metadata: %w", err)
	}
	if m.Network.Kind == yaml.MappingNode {
		if d.Network, err = yaml.Marshal(&m.Network); err != nil {
			return d, fmt.Errorf("guestinfo.metadata: network: %w", err)
		}
	}
	return d, nil
}

// maxDescription bounds the description of a machine.
const maxDescription = 64 << 10

func unpack(text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxDescription+1))
	if len(out) > maxDescription {
		return nil, fmt.Errorf("it unpacks to more than %d bytes", maxDescription)
	}
	return out, err
}
