package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// A Delegation lets others sign for some targets, such as extensions of theirs:
// for those with certain names, and for nothing else.
type Delegation struct {
	Role      string   // what it is called
	Paths     []string // patterns of the names of targets, such as "acme-*"
	Keys      []sign.Key
	Threshold int
}

// roleName keeps delegated roles apart from the others, and their files in their
// directory.
var roleName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (g Delegation) check() error {
	switch {
	case !roleName.MatchString(g.Role) || slices.Contains(Roles, g.Role):
		return fmt.Errorf("role %q: want small letters, digits and hyphens, and none of %s", g.Role, strings.Join(Roles, ", "))
	case len(g.Paths) == 0:
		return fmt.Errorf("role %s has no patterns of names, and could sign for nothing", g.Role)
	case g.Threshold < 1 || g.Threshold > len(g.Keys):
		return fmt.Errorf("role %s has %d keys, and %d of them would have to sign", g.Role, len(g.Keys), g.Threshold)
	}
	for _, p := range g.Paths {
		if _, err := filepath.Match(p, ""); err != nil || strings.Contains(p, "/") {
			return fmt.Errorf("pattern %q of role %s: want a name with * and ? in it, and no slash", p, g.Role)
		}
	}
	return nil
}

// Delegate stages that others sign for some targets, or under other rules than
// before. Their list is staged with it, empty at first; they sign it.
func (r *Repository) Delegate(g Delegation, now time.Time) error {
	if err := g.check(); err != nil {
		return err
	}
	if err := r.edit(now, false, func(d *draft) error { return d.delegate(g) }); err != nil {
		return err
	}
	return r.Extend(g.Role, nil, nil, now)
}

// checkDelegations finds names for which both we and others would sign.
func (d draft) checkDelegations() error {
	if d.delegations == nil {
		return nil
	}
	for _, role := range d.delegations.Roles {
		for _, name := range slices.Sorted(maps.Keys(d.targets)) {
			if matches(role.Paths, name) {
				return fmt.Errorf("role %s would sign for %s, which is ours", role.Name, name)
			}
		}
	}
	return nil
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, err := filepath.Match(p, name); return err == nil && ok })
}

func (d *draft) delegate(g Delegation) error {
	d.undelegate(g.Role)
	if d.delegations == nil {
		d.delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	}
	// It ends the search for what it is about: nobody else can have that.
	role := metadata.DelegatedRole{Name: g.Role, Threshold: g.Threshold, Terminating: true, Paths: g.Paths, KeyIDs: []string{}}
	for _, k := range g.Keys {
		if slices.Contains(role.KeyIDs, k.ID) {
			return fmt.Errorf("role %s has the key %.8s twice", g.Role, k.ID)
		}
		role.KeyIDs = append(role.KeyIDs, k.ID)
		d.delegations.Keys[k.ID] = k.Public
	}
	d.delegations.Roles = append(d.delegations.Roles, role)
	return nil
}

// undelegate takes a role away, and the keys that no other one has.
func (d *draft) undelegate(name string) bool {
	if d.delegations == nil {
		return false
	}
	before := len(d.delegations.Roles)
	out := &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for _, role := range d.delegations.Roles {
		if role.Name == name {
			continue
		}
		out.Roles = append(out.Roles, role)
		for _, id := range role.KeyIDs {
			out.Keys[id] = d.delegations.Keys[id]
		}
	}
	d.delegations = out
	if len(out.Roles) == 0 {
		d.delegations = nil
	}
	return len(out.Roles) < before
}

// Undelegate stages that a role signs for nothing any longer, so that what it
// signed for is no longer there.
func (r *Repository) Undelegate(role string, now time.Time) error {
	err := r.edit(now, false, func(d *draft) error {
		if !d.undelegate(role) {
			return fmt.Errorf("no role %s", role)
		}
		return nil
	})
	if err == nil {
		err = r.removeStaged(role + ".json")
	}
	return err
}

// Extend stages files as targets that a delegated role signs for, under their own
// names, and that others, named by remove, are no longer there. Without either it
// makes the list of the role valid for longer.
func (r *Repository) Extend(role string, files, remove []string, now time.Time) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	rules, err := s.delegation(role)
	if err != nil {
		return err
	}
	before := s.list(role)
	next := metadata.Targets(expiry(now, r.lifetimes.Targets))
	next.Signed.Version = nextVersion(now, 0)
	if before != nil {
		next.Signed.Version = nextVersion(now, before.Signed.Version)
		next.Signed.Targets = maps.Clone(before.Signed.Targets)
	}
	for _, name := range remove {
		if next.Signed.Targets[name] == nil {
			return fmt.Errorf("role %s has no target %s", role, name)
		}
		delete(next.Signed.Targets, name)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if !matches(rules.Paths, name) {
			return fmt.Errorf("role %s may sign for %s only, and not for %s", role, strings.Join(rules.Paths, ", "), name)
		}
		if next.Signed.Targets[name], err = r.keepFile(name, file, false); err != nil {
			return err
		}
	}
	return writeMetadata(r.path(staged, role+".json"), next)
}

// delegation returns the rules of a role as they will be.
func (s state) delegation(role string) (metadata.DelegatedRole, error) {
	for _, d := range delegated(s.effectiveTargets()) {
		if d.Name == role {
			return d, nil
		}
	}
	return metadata.DelegatedRole{}, fmt.Errorf("no role %s: repo delegate makes one", role)
}

func delegated(t *targets) []metadata.DelegatedRole {
	if t == nil || t.Signed.Delegations == nil {
		return nil
	}
	return t.Signed.Delegations.Roles
}

func (s state) effectiveTargets() *targets {
	if s.nextTargets != nil {
		return s.nextTargets
	}
	return s.targets
}

// list returns the list of a delegated role as it will be, or nil.
func (s state) list(role string) *targets {
	if t := s.nextLists[role]; t != nil {
		return t
	}
	return s.lists[role]
}

// loadLists reads the lists of all delegated roles.
func (r *Repository) loadLists(s *state) error {
	s.lists, s.nextLists = map[string]*targets{}, map[string]*targets{}
	var errs []error
	for _, d := range delegated(s.targets) {
		t, err := read[metadata.TargetsType](r.metadataFile(d.Name, named(s.snapshot.Signed.Meta, d.Name)))
		errs = append(errs, err)
		if t == nil && err == nil {
			errs = append(errs, fmt.Errorf("the list of role %s is not there: restore it from a copy of the repository", d.Name))
		}
		s.lists[d.Name] = t
	}
	for _, d := range delegated(s.effectiveTargets()) {
		t, err := read[metadata.TargetsType](r.path(staged, d.Name+".json"))
		errs = append(errs, err)
		if t != nil {
			s.nextLists[d.Name] = t
		}
	}
	return errors.Join(errs...)
}

// signLists adds signatures to the lists that are staged.
func (r *Repository) signLists(ctx context.Context, s state, keys []sign.Key) ([]Progress, error) {
	var out []Progress
	for _, role := range delegated(s.effectiveTargets()) {
		t := s.nextLists[role.Name]
		if t == nil {
			continue
		}
		n := 0
		for _, k := range keys {
			if !k.CanSign() || !slices.Contains(role.KeyIDs, k.ID) {
				continue
			}
			if err := sign.Sign(ctx, t, k); err != nil {
				return nil, err
			}
			n++
		}
		if n > 0 {
			if err := writeMetadata(r.path(staged, role.Name+".json"), t); err != nil {
				return nil, err
			}
		}
		p := Progress{Role: role.Name, Version: t.Signed.Version, Want: role.Threshold, By: "the delegation"}
		p.count(role.KeyIDs, t.Signatures)
		out = append(out, p)
	}
	return out, nil
}

// assembleLists returns the files of the lists that m has, and names them in its
// snapshot.
func (r *Repository) assembleLists(s state, m *set) error {
	for _, role := range delegated(m.targets) {
		t := s.list(role.Name)
		if t == nil {
			return fmt.Errorf("role %s has no list: stage one with repo extension", role.Name)
		}
		if err := m.targets.VerifyDelegate(role.Name, t); err != nil {
			return fmt.Errorf("not released: the list of role %s: %w", role.Name, err)
		}
		f := file{path: r.metadataFile(role.Name, t.Signed.Version)}
		var err error
		if s.nextLists[role.Name] != nil {
			f.data, err = t.ToBytes(true)
		} else {
			f.data, err = os.ReadFile(f.path)
		}
		if err != nil {
			return err
		}
		m.lists, m.listed = append(m.lists, f), append(m.listed, t)
		m.snapshot.Signed.Meta[role.Name+".json"] = metaFile(t.Signed.Version, f.data)
	}
	return nil
}
