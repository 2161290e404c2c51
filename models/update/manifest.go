// Package update decides which release of the system a node may install.
//
// The publisher writes a Manifest, signed with the rest of the update
// repository; a node reads it and asks Select. Both use this package, so that
// what was planned at publishing is what nodes do. It touches neither files
// nor the network, and the time is handed in.
package update

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	strictjson "github.com/go-json-experiment/json"
)

// ManifestTarget is the name of the manifest in an update repository.
const ManifestTarget = "manifest.json"

// A Manifest lists the releases that nodes may install. Nodes ignore members
// that they do not know.
type Manifest struct {
	Updates []Release `json:"updates"`
	Denied  []Denial  `json:"denied,omitempty"`
}

// A Release is one version of one variant.
type Release struct {
	Variant    string   `json:"variant"`
	Arch       string   `json:"arch"`
	Version    Version  `json:"version"`
	MaxVersion Version  `json:"max_version"`            // the highest that nodes of the variant should run; the same in all its releases
	MinVersion Version  `json:"min_version,omitzero"`   // the lowest that this one installs on
	Floor      bool     `json:"floor,omitempty"`        // who is below does not go past it without having run it
	Channels   []string `json:"channels,omitempty"`     // who follows one of them sees it; none means everybody
	Waves      Waves    `json:"waves"`                  // when nodes are offered it; none means at once
	Images     Images   `json:"images"`                 // names of targets
	RootHash   string   `json:"root_hash"`              // what dm-verity is opened with
	Patches    []Patch  `json:"patches,omitempty"`      // what makes its images from those of earlier releases
	Migrations string   `json:"migrations,omitempty"`   // the target with the migrations of settings up to this release
	Notes      string   `json:"notes,omitempty"`        // what is new, for people
	CVEs       []CVE    `json:"cves,omitempty"`         // what it mends
	Published  string   `json:"published_at,omitempty"` // RFC 3339, for people
}

// Images names the targets that make a slot.
type Images struct {
	Boot string `json:"boot"` // the kernel image, UKI
	Root string `json:"root"` // the root file system
	Hash string `json:"hash"` // its verity tree
	// BootBlocks lists the blocks of the kernel image as blockpatch.BlockSums does, so
	// that without a patch only those are fetched which are new. There need be none.
	BootBlocks string `json:"boot_blocks,omitempty"`
}

// A CVE is a vulnerability that a release mends.
type CVE struct {
	ID   string `json:"id"`
	Note string `json:"note,omitempty"`
}

// A Denial withdraws a version. Nobody is offered it any longer, not even by
// name. Nodes that run it stay until there is a newer one; to make them go
// back, lower MaxVersion.
type Denial struct {
	Variant string  `json:"variant"`
	Arch    string  `json:"arch"`
	Version Version `json:"version"`
	Reason  string  `json:"reason"`
}

// ParseManifest reads a manifest and checks it. A name that stands twice is
// refused: readers would disagree on which one counts.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if err := strictjson.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	if err := m.Check(); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// Bytes returns m as it is published: releases in order, newest last.
func (m Manifest) Bytes() ([]byte, error) {
	m.Updates = slices.SortedFunc(slices.Values(m.Updates), func(a, b Release) int {
		return cmp.Or(strings.Compare(a.Variant, b.Variant), strings.Compare(a.Arch, b.Arch), a.Version.Compare(b.Version))
	})
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}

// Check returns all that is wrong with m.
func (m Manifest) Check() error {
	type id struct{ variant, arch, version string }
	seen := map[id]bool{}
	bounds := map[id]Version{}
	var faults []error
	for _, r := range m.Updates {
		if err := r.check(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", r.Name(), err))
		}
		if key := (id{r.Variant, r.Arch, r.Version.String()}); seen[key] {
			faults = append(faults, fmt.Errorf("%s is listed twice", r.Name()))
		} else {
			seen[key] = true
		}
		variant := id{variant: r.Variant, arch: r.Arch}
		if have, ok := bounds[variant]; ok && have != r.MaxVersion {
			faults = append(faults, fmt.Errorf("%s: max_version is %s, and %s in another release of the variant", r.Name(), r.MaxVersion, have))
		}
		bounds[variant] = r.MaxVersion
	}
	return errors.Join(faults...)
}

func (r Release) check() error {
	for name, value := range map[string]string{
		"variant": r.Variant, "arch": r.Arch, "version": r.Version.String(), "max_version": r.MaxVersion.String(),
		"images.boot": r.Images.Boot, "images.root": r.Images.Root, "images.hash": r.Images.Hash,
	} {
		if value == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return errors.Join(r.checkPatches(), r.Waves.Check())
}

// Name returns how r is called where people read it.
func (r Release) Name() string { return r.Variant + " " + r.Arch + " " + r.Version.String() }

// Targets returns the names of all targets that belong to r.
func (r Release) Targets() []string {
	names := []string{r.Images.Boot, r.Images.Root, r.Images.Hash}
	if r.Images.BootBlocks != "" {
		names = append(names, r.Images.BootBlocks)
	}
	for _, p := range r.Patches {
		names = append(names, p.Target)
	}
	if r.Migrations != "" {
		names = append(names, r.Migrations)
	}
	return names
}

// Of returns the releases of a variant, newest first.
func (m Manifest) Of(variant, arch string) []Release {
	var out []Release
	for _, r := range m.Updates {
		if r.Variant == variant && r.Arch == arch {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Release) int { return b.Version.Compare(a.Version) })
	return out
}

// Find returns the release of a variant with that version.
func (m Manifest) Find(variant, arch string, v Version) (Release, bool) {
	for _, r := range m.Of(variant, arch) {
		if r.Version == v {
			return r, true
		}
	}
	return Release{}, false
}

// denial says why v was withdrawn, if it was.
func (m Manifest) denial(variant, arch string, v Version) (string, bool) {
	for _, d := range m.Denied {
		if d.Variant == variant && d.Arch == arch && d.Version == v {
			return d.Reason, true
		}
	}
	return "", false
}
