package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxUserData bounds the text of user data, also after it was unpacked. It is
// what the API takes as one body.
const maxUserData = 8 << 20

// A Source is a place where a node may find user data.
type Source interface {
	// Name says what the place is, for people.
	Name() string
	// Read returns what is there. Nothing is no fault.
	Read(ctx context.Context) ([]byte, error)
}

// Credential is the name of the systemd credential that holds user data. A
// virtual machine gets it from its host, as a string of the firmware's tables or
// by QEMU's device for such things.
const Credential = "bulkhead.user-data"

// credential is the Source of what systemd has read as a credential.
type credential struct{ dir string }

func (credential) Name() string { return "the credential " + Credential }

func (c credential) Read(context.Context) ([]byte, error) {
	if c.dir == "" {
		return nil, nil
	}
	f, err := os.Open(filepath.Join(c.dir, Credential))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

// readBounded reads all of r, which must not be longer than user data may be.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxUserData+1))
	if err == nil && len(data) > maxUserData {
		err = fmt.Errorf("there are more than %d bytes", maxUserData)
	}
	return data, err
}
