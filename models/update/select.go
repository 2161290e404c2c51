package update

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Request is a node with what it wants.
type Request struct {
	Variant, Arch string
	Running       Version
	Seed          uint32
	IgnoreWaves   bool
	Version       Version   // exactly this one, up or down; the zero Version asks for the newest
	Avoid         []Version // failed here: not taken unless asked for by Version
	Deny          []Version // passed over: not taken unless asked for by Version
	Pin           string    // how versions begin that may be taken, unless asked for by Version; empty for all
	Channel       string    // that the node follows, if any
}

// A Candidate is a release as one node sees it.
type Candidate struct {
	Release Release
	Offer   Offer
	Refusal string // why it is not installed, or empty
}

// Candidates returns the releases of the variant of r, newest first, each with
// the reason why it would not be installed now.
func (m Manifest) Candidates(r Request, now time.Time) ([]Candidate, error) {
	releases := m.Of(r.Variant, r.Arch)
	out := make([]Candidate, len(releases))
	for i, rel := range releases {
		offer, err := rel.Waves.Offer(r.Seed)
		if err != nil {
			return nil, err
		}
		out[i] = Candidate{Release: rel, Offer: offer, Refusal: m.refusal(r, rel, offer, now)}
	}
	return out, nil
}

func (m Manifest) refusal(r Request, rel Release, offer Offer, now time.Time) string {
	v := rel.Version
	if reason, denied := m.denial(r.Variant, r.Arch, v); denied {
		return "withdrawn: " + reason
	}
	switch {
	case v == r.Running:
		return "it is running"
	case v.Compare(rel.MaxVersion) > 0:
		return fmt.Sprintf("above the highest version for this variant, %s", rel.MaxVersion)
	case r.Running.Compare(rel.MinVersion) < 0:
		return fmt.Sprintf("it installs on %s and later", rel.MinVersion)
	case !rel.visible(r.Channel):
		return "it is in channel " + strings.Join(rel.Channels, ", ")
	case slices.Contains(r.Avoid, v) && v != r.Version:
		return "it failed on this node"
	case slices.Contains(r.Deny, v) && v != r.Version:
		return "the settings deny it"
	case !v.begins(r.Pin) && v != r.Version:
		return "the settings keep to " + r.Pin
	case !r.IgnoreWaves && offer.At.After(now):
		return fmt.Sprintf("wave %d offers it at %s", offer.Wave, offer.At.UTC().Format(time.RFC3339))
	}
	if floor, ok := m.floor(r, v); ok {
		return fmt.Sprintf("%s has to run first", floor)
	}
	return ""
}

// visible reports whether who follows channel sees r.
func (r Release) visible(channel string) bool {
	return len(r.Channels) == 0 || slices.Contains(r.Channels, channel)
}

// floor returns the lowest version that has to run on the way from the
// running version up to v. Withdrawn ones do not count.
func (m Manifest) floor(r Request, v Version) (Version, bool) {
	for _, rel := range slices.Backward(m.Of(r.Variant, r.Arch)) {
		_, denied := m.denial(r.Variant, r.Arch, rel.Version)
		between := r.Running.Compare(rel.Version) < 0 && rel.Version.Compare(v) < 0
		if rel.Floor && rel.visible(r.Channel) && !denied && between && rel.Version.Compare(rel.MaxVersion) <= 0 {
			return rel.Version, true
		}
	}
	return Version{}, false
}

// Select returns the release that the node installs now, if there is one.
//
// Without a version in r it is the newest that may be installed and is newer
// than the running one, or any where the running one is above the highest
// version for the variant. On the way to a version it is the floor that has to
// run first.
func (m Manifest) Select(r Request, now time.Time) (Candidate, bool, error) {
	all, err := m.Candidates(r, now)
	if err != nil {
		return Candidate{}, false, err
	}
	wanted := r.Version
	if floor, ok := m.floor(r, r.Version); ok && !r.Version.IsZero() {
		wanted = floor
	}
	for _, c := range all {
		v := c.Release.Version
		downgrade := v.Compare(r.Running) < 0 && r.Running.Compare(c.Release.MaxVersion) <= 0
		if c.Refusal != "" || !wanted.IsZero() && v != wanted || wanted.IsZero() && downgrade {
			continue
		}
		return c, true, nil
	}
	return Candidate{}, false, nil
}

// Path returns the versions that a node that follows a channel, or none, goes
// through, one after the other, from the running one until nothing newer is left,
// when all waves are over. A release that installs only above what can be reached
// is not on it.
func (m Manifest) Path(variant, arch, channel string, running Version) []Version {
	var path []Version
	r := Request{Variant: variant, Arch: arch, Channel: channel, Running: running, IgnoreWaves: true}
	for range len(m.Updates) {
		c, ok, err := m.Select(r, time.Time{})
		if err != nil || !ok {
			break
		}
		r.Running = c.Release.Version
		path = append(path, r.Running)
	}
	return path
}
