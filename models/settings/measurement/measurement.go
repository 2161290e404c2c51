// Package measurement holds the settings of the measurement of settings: what
// goes into the platform configuration register that attests them.
package measurement

// Settings is the group measurement.
type Settings struct {
	// Settings that are left out of the measurement, because they differ from host
	// to host or change often. Each entry names one setting or a whole table, as in
	// "kernel.sysctl" or "settings.network.hostname". The settings of measurement
	// itself are always measured. A change takes effect at the next boot, which is
	// when settings are measured.
	ExcludedSettings []Exclusion `setting:"excluded-settings"`
}
