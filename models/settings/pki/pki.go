// Package pki holds the settings of the certificate authorities that programs
// on the host trust.
package pki

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
)

// Settings is the group pki: bundles of certificates by name.
type Settings map[scalar.Identifier]Bundle

// A Bundle is a set of certificates that are all trusted or all distrusted.
type Bundle struct {
	// The certificates, in base64 around PEM: one CERTIFICATE block after the
	// other. Empty text disables the bundle. The trust store is rebuilt at once;
	// services that read it at their start are restarted.
	Data *Certificates `setting:"data"`

	// Whether the certificates join the trust store. False, and unset, is more
	// than to ignore them: a certificate of the bundle that the image brings along
	// is taken out of the trust store.
	Trusted *bool `setting:"trusted"`
}

// Check reports bundles that say half of what they mean.
func (s *Settings) Check(p report.Place) {
	for _, name := range slices.SortedFunc(maps.Keys(*s), scalar.Identifier.Compare) {
		b := (*s)[name]
		at := p.In(name.String())
		switch {
		case b.Data == nil:
			at.Warn("data", nil, "the bundle has no data, so it has no effect", "set data to certificates, or remove the bundle")
		case b.Trusted == nil && !b.Data.IsEmpty():
			at.Warn("trusted", nil,
				"data holds certificates and trusted is not set, which means false: they are taken out of the trust store",
				"set trusted to true or false")
		}
	}
}
