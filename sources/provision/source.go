package provision

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// A Source is a place where a node may find user data.
type Source interface {
	// Name says what the place is, for people. It never changes.
	Name() string
	// Read returns what is there. Nothing is no fault.
	Read(ctx context.Context) (platform.Data, error)
}

// How long sources of a stage may take.
const (
	localLimit   = 20 * time.Second
	networkLimit = 2 * time.Minute
)

// Credential is the name of the systemd credential that holds user data. A
// virtual machine gets it from its host, as a string of the firmware's tables or
// by QEMU's device for such things.
const Credential = "bulkhead.user-data"

// credential is the Source of what systemd has read as a credential.
type credential struct{ dir string }

func (credential) Name() string { return "the credential " + Credential }

func (c credential) Read(context.Context) (platform.Data, error) {
	if c.dir == "" {
		return platform.Data{}, nil
	}
	f, err := os.Open(filepath.Join(c.dir, Credential))
	if errors.Is(err, fs.ErrNotExist) {
		return platform.Data{}, nil
	}
	if err != nil {
		return platform.Data{}, err
	}
	defer f.Close()
	data, err := platform.ReadAll(f)
	return platform.Data{UserData: data}, err
}

// broken is a source that ought to be there.
type broken struct {
	name string
	err  error
}

func (b broken) Name() string { return b.name }

func (b broken) Read(context.Context) (platform.Data, error) { return platform.Data{}, b.err }

// A reading is what a source has given.
type reading struct {
	source Source
	data   platform.Data
	err    error
}

// has reports whether there is something to take.
func (r reading) has() bool { return len(r.data.UserData) > 0 || len(r.data.Network) > 0 }

// readAll asks all sources at the same time, and returns their answers in the
// order of the sources. A source that does not answer holds nobody up: a drive
// may hang for good, in a call that cannot be broken off. While some have not
// answered it calls slow now and then, with their names.
func readAll(ctx context.Context, sources []Source, limit time.Duration, slow func(names string, after time.Duration)) []reading {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	all := make([]*attempt, len(sources))
	for i, s := range sources {
		all[i] = ask(ctx, s)
	}
	next := time.NewTimer(firstNotice)
	defer next.Stop()
	out := make([]reading, len(all))
	for i, a := range all {
		out[i] = a.await(ctx, limit, next, func() { slow(silent(all[i:]), time.Since(began).Round(time.Second)) })
	}
	return out
}
