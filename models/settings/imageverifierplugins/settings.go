// Package imageverifierplugins holds the settings of the programs that check
// the signature of an image before containerd runs it.
package imageverifierplugins

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings switch image verification on and configure the verifiers.
type Settings struct {
	// Whether containerd asks the verifiers before it runs an image. If unset it
	// does not.
	Enabled *bool `setting:"enabled"`

	// The verifiers, by name. The image brings the verifier notation.
	Plugins map[scalar.Identifier]Plugin `setting:"*"`
}

// A Plugin is one verifier.
type Plugin struct {
	// The trust policy of the verifier: which images have to be signed by whom, a
	// JSON document in base64.
	TrustPolicy *Base64JSON `setting:"trustpolicy" alias:"trust-policy"`
}

// Check warns of verification without a policy to verify by.
func (s *Settings) Check(p report.Place) {
	hasPolicy := func(v Plugin) bool { return v.TrustPolicy != nil }
	if s.Enabled == nil || !*s.Enabled || slices.ContainsFunc(slices.Collect(maps.Values(s.Plugins)), hasPolicy) {
		return
	}
	p.Warn("enabled", true, "enabled is true and no verifier has a trustpolicy: nothing says which images to trust",
		"set the trustpolicy of a verifier, such as notation")
}
