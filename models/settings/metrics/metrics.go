// Package metrics holds the settings of the reports that a host sends about
// itself: whether it boots, runs and updates well.
package metrics

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings is the group metrics.
type Settings struct {
	// The address that reports are sent to. While it is unset, none are sent. It
	// is read before each report.
	MetricsURL *scalar.URL `setting:"metrics-url"`

	// Whether reports are sent: some minutes after each boot and every six hours
	// from then on. A report names the version, the variant, the seed, the region
	// and the services that fail, nothing of the workload.
	SendMetrics *bool `setting:"send-metrics"`

	// The systemd services whose health is part of the report, by name of the
	// unit without .service.
	ServiceChecks []scalar.SingleLine `setting:"service-checks"`
}
