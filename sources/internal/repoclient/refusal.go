package repoclient

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ErrRefused says that a repository is not what those who may sign have signed, or
// not any longer.
var ErrRefused = errors.New("the repository is refused")

// ErrExpired says that what was signed is no longer valid: the repository stands
// still, or the clock is wrong.
var ErrExpired = errors.New("it has expired")

// ofRepository reports whether err is about what metadata says, and not about this
// program.
func ofRepository(err error) bool { return errors.Is(err, &metadata.ErrRepository{}) }

// explain returns err with what it means for whoever reads it.
func explain(err error) error {
	switch {
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return fmt.Errorf("%w: %w: %w", ErrRefused, ErrExpired, err)
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return fmt.Errorf("%w: it is not the version that it has to be: %w", ErrRefused, err)
	case errors.Is(err, &metadata.ErrUnsignedMetadata{}):
		return fmt.Errorf("%w: it is not signed by enough keys that may sign it: %w", ErrRefused, err)
	case errors.Is(err, &metadata.ErrLengthOrHashMismatch{}):
		return fmt.Errorf("%w: it is not the file that other metadata names: %w", ErrRefused, err)
	case ofRepository(err), isValue(err), errors.Is(err, errForm):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

func isValue(err error) bool {
	var v *metadata.ErrValue
	return errors.As(err, &v)
}

var errForm = errors.New("it is no metadata")

// wellFormed refuses metadata in which members are missing that the library goes on
// to use.
func wellFormed(data []byte) error {
	type members map[string]*json.RawMessage
	var m struct {
		Signed struct {
			Type    string  `json:"_type"`
			Meta    members `json:"meta"`
			Targets members `json:"targets"`
			Keys    members `json:"keys"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	for _, part := range []members{m.Signed.Meta, m.Signed.Targets, m.Signed.Keys} {
		for name, v := range part {
			if v == nil {
				return fmt.Errorf("%w: %.80q is null", errForm, name)
			}
		}
	}
	if m.Signed.Type == metadata.TIMESTAMP && m.Signed.Meta[fileName(metadata.SNAPSHOT)] == nil {
		return fmt.Errorf("%w: it names no snapshot", errForm)
	}
	return wellDelegated(data)
}

// wellDelegated is wellFormed for the part of metadata that names roles, which is
// an object in roots and a list elsewhere.
func wellDelegated(data []byte) error {
	var root struct {
		Signed struct {
			Roles map[string]*json.RawMessage `json:"roles"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(data, &root); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	for name, v := range root.Signed.Roles {
		if v == nil {
			return fmt.Errorf("%w: the role %.80q is null", errForm, name)
		}
	}
	var targets struct {
		Signed struct {
			Delegations *struct {
				Keys map[string]*json.RawMessage `json:"keys"`
			} `json:"delegations"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(data, &targets); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	if d := targets.Signed.Delegations; d != nil {
		for name, v := range d.Keys {
			if v == nil {
				return fmt.Errorf("%w: the key %.80q is null", errForm, name)
			}
		}
	}
	return nil
}
