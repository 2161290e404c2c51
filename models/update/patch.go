package update

import (
	"errors"
	"fmt"
)

// A Patch is a target that makes an image of a release from the one of an earlier
// release, in the form of the package blockpatch. There need not be one, and a
// node that has another version, or cannot use a patch, fetches the image itself.
type Patch struct {
	Image  Image   `json:"image"`
	From   Version `json:"from"` // the version whose image it is made from
	Target string  `json:"target"`
}

// An Image is one of the images that make a slot, by the names that Images has
// for them.
type Image string

// The images of a release.
const (
	BootImage Image = "boot"
	RootImage Image = "root"
	HashImage Image = "hash"
)

// Target returns the name of the target that is the image.
func (i Images) Target(image Image) string {
	return map[Image]string{BootImage: i.Boot, RootImage: i.Root, HashImage: i.Hash}[image]
}

// Patch returns what makes an image of r from the one of the version from, if
// there is such a patch.
func (r Release) Patch(image Image, from Version) (Patch, bool) {
	for _, p := range r.Patches {
		if p.Image == image && p.From == from {
			return p, true
		}
	}
	return Patch{}, false
}

// checkPatches finds patches that are of no use. An image that this program does
// not know is none of them: a later one may.
func (r Release) checkPatches() error {
	seen := map[Patch]bool{}
	var faults []error
	for _, p := range r.Patches {
		id := Patch{Image: p.Image, From: p.From}
		switch {
		case p.Target == "" || p.Image == "" || p.From.IsZero():
			faults = append(faults, fmt.Errorf("patch %+v: image, from or target is missing", p))
		case p.From == r.Version:
			faults = append(faults, fmt.Errorf("the patch %s is from the version itself", p.Target))
		case seen[id]:
			faults = append(faults, fmt.Errorf("there are two patches of the image %s from %s", p.Image, p.From))
		}
		seen[id] = true
	}
	return errors.Join(faults...)
}
