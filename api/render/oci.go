package render

import (
	"math"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/settings/ocidefaults"
)

func ociCapabilities(v any) ([]any, error) {
	m, err := tableOrNothing(v)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, name := range names(m) {
		if m[name] == true {
			out = append(out, ocidefaults.Capability(name).Linux())
		}
	}
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return out, nil
}

// A resourceLimit is one of settings.oci-defaults.resource-limits; -1 limits
// nothing.
type resourceLimit struct {
	name       string // RLIMIT_NOFILE
	hard, soft int64
}

// resourceLimits reads the limits. With an Elastic Fabric Adapter containers
// must be able to lock memory, so that this is without limit unless set.
func resourceLimits(m map[string]any, efa bool) ([]resourceLimit, error) {
	known := ocidefaults.LimitName("").Rule().Enum
	var out []resourceLimit
	for _, name := range names(m) {
		entry, _ := m[name].(map[string]any)
		hard, ok1 := entry["hard-limit"].(int64)
		soft, ok2 := entry["soft-limit"].(int64)
		if !ok1 || !ok2 || !slices.Contains(known, name) {
			return nil, unfit(name, "%s is no resource limit with a hard and a soft limit")
		}
		out = append(out, resourceLimit{ocidefaults.LimitName(name).Linux(), hard, soft})
	}
	if _, set := m[string(ocidefaults.MaxLockedMemory)]; efa && !set {
		out = append(out, resourceLimit{ocidefaults.MaxLockedMemory.Linux(), -1, -1})
	}
	slices.SortFunc(out, func(a, b resourceLimit) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// ociLimits gives the limits in the form of the OCI runtime spec, which has an
// unsigned number where nothing is limited.
func ociLimits(m map[string]any, efa bool) ([]any, error) {
	limits, err := resourceLimits(m, efa)
	out := []any{}
	for _, l := range limits {
		out = append(out, map[string]any{"type": l.name, "hard": unsigned(l.hard), "soft": unsigned(l.soft)})
	}
	return out, err
}

func unsigned(limit int64) uint64 {
	if limit < 0 {
		return math.MaxUint64
	}
	return uint64(limit)
}

// dockerLimits gives the limits in the form of dockerd's configuration.
func dockerLimits(m map[string]any, efa bool) (map[string]any, error) {
	limits, err := resourceLimits(m, efa)
	out := map[string]any{}
	for _, l := range limits {
		name := strings.ToLower(strings.TrimPrefix(l.name, "RLIMIT_"))
		out[name] = map[string]any{"Name": name, "Hard": l.hard, "Soft": l.soft}
	}
	return out, err
}
