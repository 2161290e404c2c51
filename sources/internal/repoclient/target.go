package repoclient

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ErrNoTarget says that no role that may do so has signed a target of that name.
var ErrNoTarget = errors.New("there is no such target")

// maxRoles bounds how many roles are asked for one target.
const maxRoles = 32

// A Target is what was signed of a file.
type Target struct {
	Name   string
	Length int64
	Path   string // below the directory of targets

	hashes metadata.Hashes
}

// Target returns the target called name. Roles are asked in the order of their
// delegation, those that they delegate to before those beside them.
func (c *Client) Target(ctx context.Context, name string) (Target, error) {
	info, err := c.find(ctx, name)
	if err != nil {
		return Target{}, fmt.Errorf("target %s: %w", name, explain(err))
	}
	t := Target{Name: name, Length: info.Length, Path: name, hashes: info.Hashes}
	algorithm, ok := t.algorithm()
	if !ok || info.Length < 0 {
		return Target{}, fmt.Errorf("target %s: %w: it has no hash that is known here", name, ErrRefused)
	}
	if c.trusted.Root.Signed.ConsistentSnapshot {
		dir, file := path.Split(name)
		t.Path = dir + hex.EncodeToString(info.Hashes[algorithm]) + "." + file
	}
	return t, nil
}

func (c *Client) find(ctx context.Context, name string) (*metadata.TargetFiles, error) {
	type step struct{ role, by string }
	todo := []step{{metadata.TARGETS, metadata.ROOT}}
	asked := map[string]bool{}
	for len(todo) > 0 && len(asked) <= maxRoles {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if asked[s.role] {
			continue
		}
		m, err := c.loadTargets(ctx, s.role, s.by)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", s.role, err)
		}
		if t := m.Signed.Targets[name]; t != nil {
			return t, nil
		}
		asked[s.role] = true
		if m.Signed.Delegations == nil {
			continue
		}
		var next []step
		for _, r := range m.Signed.Delegations.GetRolesForTarget(name) {
			next = append(next, step{r.Name, s.role})
			if r.Terminating {
				todo = nil // nobody else is asked
				break
			}
		}
		slices.Reverse(next)
		todo = append(todo, next...)
	}
	return nil, ErrNoTarget
}

// algorithm returns the hash that the name of the file has: the same each time.
func (t Target) algorithm() (string, bool) {
	for _, a := range []string{"sha256", "sha512"} {
		if len(t.hashes[a]) > 0 {
			return a, true
		}
	}
	return "", false
}

// SHA256 returns that hash of the target, or nothing.
func (t Target) SHA256() string { return hex.EncodeToString(t.hashes["sha256"]) }

// Check reads r to its end and reports whether it is the target.
func (t Target) Check(r io.Reader) error {
	v := t.NewVerifier()
	if _, err := io.Copy(v, io.LimitReader(r, t.Length+1)); err != nil {
		return err
	}
	return v.Verdict()
}

// A Verifier is given the bytes of a target one after the other.
type Verifier struct {
	target Target
	n      int64
	sums   map[string]hash.Hash
}

// NewVerifier returns a verifier that was given nothing yet.
func (t Target) NewVerifier() *Verifier {
	v := &Verifier{target: t, sums: map[string]hash.Hash{}}
	for name := range t.hashes {
		switch name {
		case "sha256":
			v.sums[name] = sha256.New()
		case "sha512":
			v.sums[name] = sha512.New()
		}
	}
	return v
}

func (v *Verifier) Write(p []byte) (int, error) {
	for _, h := range v.sums {
		h.Write(p)
	}
	v.n += int64(len(p))
	return len(p), nil
}

// Written returns how many bytes v was given.
func (v *Verifier) Written() int64 { return v.n }

// Verdict reports whether what was given is the target.
func (v *Verifier) Verdict() error {
	if v.n != v.target.Length {
		return fmt.Errorf("target %s: %w: it has %d bytes, and %d were signed", v.target.Name, ErrRefused, v.n, v.target.Length)
	}
	for name, h := range v.sums {
		if !slices.Equal(h.Sum(nil), v.target.hashes[name]) {
			return fmt.Errorf("target %s: %w: its %s is %x, and %x was signed", v.target.Name, ErrRefused, name, h.Sum(nil), []byte(v.target.hashes[name]))
		}
	}
	return nil
}
