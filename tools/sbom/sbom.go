// Package sbom writes which software an image is made of, as an SPDX 2.3
// document.
package sbom

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// A Component is a piece of software that is in an image.
type Component struct {
	Kind     Kind
	Name     string
	Version  string
	Arch     string // of a Debian package
	Source   string // what it was built from, such as a Debian source package
	SHA256   string // of the file it came in, in hex; empty when it came in none
	Licence  string // an SPDX expression; empty when only its text is known
	Supplier string
}

// Kind says where a component comes from.
type Kind string

// Kinds of components.
const (
	Debian   Kind = "deb"
	Go       Kind = "golang"
	Bulkhead Kind = "bulkhead"
)

// purl returns the name by which scanners look for faults that are known of c
// (the package URL specification).
func (c Component) purl(suite string) string {
	switch c.Kind {
	case Debian:
		return fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=%s", c.Name, escape(c.Version), c.Arch, suite)
	case Go:
		return fmt.Sprintf("pkg:golang/%s@%s", c.Name, escape(c.Version))
	}
	return fmt.Sprintf("pkg:generic/bulkhead/%s@%s", c.Name, escape(c.Version))
}

// escape writes a version as a package URL takes it.
func escape(version string) string {
	return strings.NewReplacer("%", "%25", "+", "%2B", ":", "%3A", "~", "~").Replace(version)
}

// An Image is what a document describes.
type Image struct {
	Variant    string
	Version    string
	Suite      string // of Debian
	RootHash   string // in hex: it stands for each byte
	Components []Component
}

// Write writes the document of img. It tells no time of its own: the same image
// has the same document.
func Write(w io.Writer, img Image) error {
	created := time.Unix(1, 0).UTC().Format(time.RFC3339)
	name := "bulkhead-" + img.Variant + "-" + img.Version
	doc := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      name,
		DocumentNamespace: "https://bulkhead.invalid/spdx/" + name + "/" + img.RootHash,
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "shipyard"}}, Created: created,
			CreatorComment: "The time is a fixed one, so that the same image has the same document.",
		},
	}
	system := component(Component{Kind: Bulkhead, Name: "bulkhead-" + img.Variant, Version: img.Version, Licence: "NOASSERTION", Supplier: "Bulkhead"}, "", img.Suite)
	system.PrimaryPackagePurpose = "OPERATING-SYSTEM"
	doc.Packages = append(doc.Packages, system)
	relate := func(a, kind, b string) {
		doc.Relationships = append(doc.Relationships, &v2_3.Relationship{
			RefA: common.MakeDocElementID("", a), RefB: common.MakeDocElementID("", b), Relationship: kind,
		})
	}
	relate("DOCUMENT", "DESCRIBES", string(system.PackageSPDXIdentifier))
	all := slices.SortedFunc(slices.Values(img.Components), func(a, b Component) int {
		return strings.Compare(string(a.Kind)+" "+a.Name+" "+a.Version, string(b.Kind)+" "+b.Name+" "+b.Version)
	})
	for _, c := range slices.Compact(all) {
		p := component(c, string(c.Kind)+"-", img.Suite)
		doc.Packages = append(doc.Packages, p)
		relate(string(system.PackageSPDXIdentifier), "CONTAINS", string(p.PackageSPDXIdentifier))
	}
	if err := json.Write(doc, w, json.Indent("  ")); err != nil {
		return fmt.Errorf("write SBOM of %s: %w", name, err)
	}
	return nil
}

// notInID are the characters that identifiers of SPDX cannot have.
var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func component(c Component, prefix, suite string) *v2_3.Package {
	const unknown = "NOASSERTION"
	p := &v2_3.Package{
		PackageName: c.Name, PackageVersion: c.Version,
		PackageSPDXIdentifier:   common.ElementID(notInID.ReplaceAllString(prefix+c.Name+"-"+c.Version, "-")),
		PackageDownloadLocation: unknown, PackageCopyrightText: unknown,
		PackageLicenseConcluded: unknown, PackageLicenseDeclared: unknown,
		PackageSourceInfo: c.Source,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: c.purl(suite),
		}},
	}
	if c.Licence != "" {
		p.PackageLicenseDeclared = c.Licence
	}
	if c.Supplier != "" {
		p.PackageSupplier = &common.Supplier{SupplierType: "Organization", Supplier: c.Supplier}
	}
	if c.SHA256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: c.SHA256}}
	}
	return p
}
