// Package repoclient verifies what an update repository says, as The Update
// Framework has it.
//
// It keeps the metadata that it has accepted, in the bytes that it came in, so that
// a repository that goes back, stands still or forgets is found out. What it
// trusts to begin with is a root from the image, or the one that it has kept where
// that is newer; from there it goes through every version of the root that the
// repository has. Targets themselves are for others to fetch: this package says how
// long they are and which hashes they have.
package repoclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/bulkhead-os/bulkhead/sources/internal/atomicfile"
)

// A Source gives the files of a repository.
type Source interface {
	// Metadata returns the file called name, which has at most limit bytes. The error
	// wraps fs.ErrNotExist if there is no such file.
	Metadata(ctx context.Context, name string, limit int64) ([]byte, error)
}

// Most that is read of a file whose length nobody has signed.
const (
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 2 << 20
	maxTargets   = 5 << 20
)

// A Client is what a node knows of a repository.
type Client struct {
	dir     *os.Root
	source  Source
	trusted *trustedmetadata.TrustedMetadata
}

// Open returns a client that keeps its metadata in dir and trusts what root allows,
// or a newer root that it has kept. Without a root it trusts the kept one.
func Open(dir *os.Root, root []byte) (*Client, error) {
	kept, err := dir.ReadFile(fileName(metadata.ROOT))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("trusted root: %w", err)
	}
	c := &Client{dir: dir}
	if len(root) > 0 {
		if c.trusted, err = begin(root); err != nil {
			return nil, fmt.Errorf("trusted root: %w", err)
		}
	}
	later, err := begin(kept)
	switch {
	case c.trusted == nil && err != nil:
		return nil, fmt.Errorf("trusted root: %w", err)
	case c.trusted == nil, err == nil && later.Root.Signed.Version > c.trusted.Root.Signed.Version:
		c.trusted = later
	}
	return c, nil
}

func begin(root []byte) (*trustedmetadata.TrustedMetadata, error) {
	if err := wellFormed(root); err != nil {
		return nil, err
	}
	return trustedmetadata.New(root)
}

// Refresh fetches and verifies all metadata that decides on targets. What it
// accepts is kept at once, so an attempt that is cut off is gone on with. It is
// told the time once it knows the newest root, whose version it says: who takes
// back what was signed with a wrong time does so with a new root.
func (c *Client) Refresh(ctx context.Context, from Source, now func(root int64) time.Time) error {
	c.source = from
	for _, step := range []struct {
		role string
		load func(context.Context) error
	}{
		{metadata.ROOT, c.walkRoots},
		{metadata.ROOT, func(context.Context) error { c.trusted.RefTime = now(c.RootVersion()).UTC(); return nil }},
		{metadata.TIMESTAMP, c.loadTimestamp},
		{metadata.SNAPSHOT, c.loadSnapshot},
		{metadata.TARGETS, func(ctx context.Context) error {
			_, err := c.loadTargets(ctx, metadata.TARGETS, metadata.ROOT)
			return err
		}},
	} {
		if err := step.load(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.role, explain(err))
		}
	}
	return nil
}

// walkRoots goes from root to root, each signed as the one before it demands, until
// there is no newer one.
func (c *Client) walkRoots(ctx context.Context) error {
	for {
		next := c.trusted.Root.Signed.Version + 1
		data, err := c.source.Metadata(ctx, strconv.FormatInt(next, 10)+".root.json", maxRoot)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = wellFormed(data)
		}
		if err == nil {
			_, err = c.trusted.UpdateRoot(data)
		}
		if err != nil {
			return fmt.Errorf("version %d: %w", next, err)
		}
		if err := c.keep(metadata.ROOT, data); err != nil {
			return err
		}
	}
}

// loadTimestamp takes the kept timestamp as what may not be gone back behind, even
// when it has expired, and then asks for the newest.
func (c *Client) loadTimestamp(ctx context.Context) error {
	if data, ok := c.kept(metadata.TIMESTAMP); ok {
		if _, err := c.trusted.UpdateTimestamp(data); err != nil && !ofRepository(err) {
			return err
		}
	}
	data, err := c.source.Metadata(ctx, fileName(metadata.TIMESTAMP), maxTimestamp)
	if err != nil {
		return err
	}
	if err := wellFormed(data); err != nil {
		return err
	}
	_, err = c.trusted.UpdateTimestamp(data)
	if errors.Is(err, &metadata.ErrEqualVersionNumber{}) {
		return c.freshTimestamp() // what is known counts, whatever else is in it
	}
	if err != nil {
		return err
	}
	return c.keep(metadata.TIMESTAMP, data)
}

// freshTimestamp refuses a timestamp that is the one known already and has
// expired.
func (c *Client) freshTimestamp() error {
	if c.trusted.Timestamp.Signed.IsExpired(c.trusted.RefTime) {
		return &metadata.ErrExpiredMetadata{Msg: "it expired on " + c.trusted.Timestamp.Signed.Expires.Format(time.RFC3339)}
	}
	return nil
}

func (c *Client) loadSnapshot(ctx context.Context) error {
	if data, ok := c.kept(metadata.SNAPSHOT); ok {
		_, err := c.trusted.UpdateSnapshot(data, true)
		if err == nil {
			return nil // it is the one that the timestamp names
		}
		if !ofRepository(err) {
			return err
		}
	}
	meta := c.trusted.Timestamp.Signed.Meta[fileName(metadata.SNAPSHOT)]
	data, err := c.fetch(ctx, metadata.SNAPSHOT, meta, maxSnapshot)
	if err != nil {
		return err
	}
	if _, err := c.trusted.UpdateSnapshot(data, false); err != nil {
		return err
	}
	return c.keep(metadata.SNAPSHOT, data)
}

// loadTargets returns the metadata of a role that signs targets, on behalf of
// another.
func (c *Client) loadTargets(ctx context.Context, role, by string) (*metadata.Metadata[metadata.TargetsType], error) {
	if have := c.trusted.Targets[role]; have != nil {
		// Others may have delegated to a role of the same name, and mean other keys.
		return have, c.mayBe(have, role, by)
	}
	if data, ok := c.kept(role); ok {
		m, err := c.trusted.UpdateDelegatedTargets(data, role, by)
		if err == nil {
			return m, nil
		}
		if !ofRepository(err) {
			return nil, err
		}
	}
	meta := c.trusted.Snapshot.Signed.Meta[role+".json"]
	if meta == nil {
		return nil, fmt.Errorf("the snapshot does not name the role %q", role)
	}
	data, err := c.fetch(ctx, role, meta, maxTargets)
	if err != nil {
		return nil, err
	}
	m, err := c.trusted.UpdateDelegatedTargets(data, role, by)
	if err != nil {
		return nil, err
	}
	return m, c.keep(role, data)
}

// mayBe returns an error unless m is signed as the role by demands it of role.
func (c *Client) mayBe(m *metadata.Metadata[metadata.TargetsType], role, by string) error {
	if by == metadata.ROOT {
		return c.trusted.Root.VerifyDelegate(role, m)
	}
	return c.trusted.Targets[by].VerifyDelegate(role, m)
}

// fetch returns the file of a role, in the version that other metadata names.
func (c *Client) fetch(ctx context.Context, role string, meta *metadata.MetaFiles, limit int64) ([]byte, error) {
	name := fileName(role)
	if c.trusted.Root.Signed.ConsistentSnapshot {
		name = strconv.FormatInt(meta.Version, 10) + "." + name
	}
	if meta.Length > 0 {
		limit = min(limit, meta.Length)
	}
	data, err := c.source.Metadata(ctx, name, limit)
	if err != nil {
		return nil, err
	}
	return data, wellFormed(data)
}

// SignedTime returns the latest time that the repository is known to have been
// signed at, which is no later than the present. It is zero where versions of
// timestamps are not times.
func (c *Client) SignedTime() time.Time {
	if c.trusted.Timestamp == nil {
		return time.Time{}
	}
	t := c.trusted.Timestamp.Signed
	at := time.Unix(t.Version, 0)
	const longest = 400 * 24 * time.Hour // that a timestamp is taken to be valid
	if at.After(t.Expires) || t.Expires.Sub(at) > longest {
		return time.Time{}
	}
	return at
}

// RootVersion returns the version of the root that is trusted.
func (c *Client) RootVersion() int64 { return c.trusted.Root.Signed.Version }

// fileName returns the name of the file of a role. All that has a meaning in paths
// is escaped, since others choose the names of roles.
func fileName(role string) string {
	return strings.ReplaceAll(url.QueryEscape(role), "+", "%20") + ".json"
}

func (c *Client) kept(role string) ([]byte, bool) {
	data, err := c.dir.ReadFile(fileName(role))
	return data, err == nil && wellFormed(data) == nil
}

// keep makes data what is known of role, also after a power cut.
func (c *Client) keep(role string, data []byte) error {
	err := atomicfile.Replace(c.dir, fileName(role), data, atomicfile.Attributes{Mode: 0o644, UID: -1, GID: -1})
	if err != nil {
		return fmt.Errorf("keep %s: %w", fileName(role), err)
	}
	return nil
}
