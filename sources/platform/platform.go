// Package platform is what a node learns from the place that it runs in.
//
// Each place in which a node may find its user data is a package below this one.
// What they have in common is here: the form of what is found, its bounds, and
// which kind of machine this is, so that only what can be there is looked for.
package platform

import (
	"errors"
	"fmt"
	"io"

	"github.com/bulkhead-os/bulkhead/models/userdata"
)

// MaxBytes bounds what is read of one thing from a source. Wrapped user data is
// bounded further when it is unwrapped.
const MaxBytes = userdata.MaxText

// maxName bounds names, as of a host or an instance.
const maxName = 253

// ErrTooLarge says that a source holds more than a node takes.
var ErrTooLarge = fmt.Errorf("there are more than %d bytes", MaxBytes)

// ErrOff says that whoever owns the machine has switched a source off: there is
// nothing to be had, and nothing wrong with that.
var ErrOff = errors.New("it is switched off")

// Data is what a source holds for a node.
type Data struct {
	// From says more exactly than the name of the source where this was found.
	From     string
	UserData []byte // as it was given, with all wrappings
	// Network says how the network is to be: a net.toml, network-config as
	// cloud-init has it, or network_data.json of OpenStack. As given.
	Network []byte

	Hostname   string
	InstanceID string
}

// Empty reports whether there is nothing to take from d.
func (d Data) Empty() bool {
	return len(d.UserData) == 0 && len(d.Network) == 0 && d.Hostname == "" && d.InstanceID == ""
}

// ReadAll reads all of r, which must not be longer than MaxBytes.
func ReadAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err == nil && len(data) > MaxBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Name returns s if it may be a name of something: it is told to people and to
// programs, and comes from outside.
func Name(s string) (string, error) {
	if len(s) > maxName {
		return "", fmt.Errorf("a name of %d bytes, want at most %d", len(s), maxName)
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return "", errors.New("a name with something other than letters, digits and signs")
		}
	}
	return s, nil
}
