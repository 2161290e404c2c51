package kubernetes

import (
	"fmt"
	"time"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// What the kubelet uses where a setting is unset. It compares these with what
// is set, and so do we.
const (
	kubeletGCHigh   = 85
	kubeletGCLow    = 80
	kubeletGCMinAge = 2 * time.Minute
)

// checkImages compares the bounds between which unused images are removed.
func (s *Settings) checkImages(p report.Place) {
	s.checkGCThresholds(p)
	s.checkGCAges(p)
	if s.IDsPerPod != nil && s.IDsPerPod.Value() <= 0 {
		p.Warn("ids-per-pod", s.IDsPerPod.Value(), fmt.Sprintf("ids-per-pod is %d: a pod would get no ids", s.IDsPerPod.Value()), "want 65536 or a multiple of it")
	}
}

func (s *Settings) checkGCThresholds(p report.Place) {
	const high, low = "image-gc-high-threshold-percent", "image-gc-low-threshold-percent"
	h, hNote := percentOr(s.ImageGCHighThresholdPercent, kubeletGCHigh)
	l, lNote := percentOr(s.ImageGCLowThresholdPercent, kubeletGCLow)
	if l < h || s.ImageGCHighThresholdPercent == nil && s.ImageGCLowThresholdPercent == nil {
		return
	}
	detail := fmt.Sprintf("%s is %d%s and %s is %d%s", low, l, lNote, high, h, hNote)
	if s.ImageGCLowThresholdPercent == nil {
		p.Conflict(high, h, detail, fmt.Sprintf("want more than %d, or set %s", l, low))
		return
	}
	p.Conflict(low, l, detail, "want "+low+" below "+high)
}

func percentOr(p *IntegerPercent, otherwise int) (value int, note string) {
	if p == nil {
		return otherwise, " by the kubelet's default"
	}
	return p.Value(), ""
}

func (s *Settings) checkGCAges(p report.Place) {
	const least, most = "image-minimum-gc-age", "image-maximum-gc-age"
	if s.ImageMaximumGCAge == nil || s.ImageMaximumGCAge.Value() == 0 {
		return
	}
	age, shown := kubeletGCMinAge, "2m by the kubelet's default"
	if s.ImageMinimumGCAge != nil {
		age, shown = s.ImageMinimumGCAge.Value(), s.ImageMinimumGCAge.String()
	}
	if age < s.ImageMaximumGCAge.Value() {
		return
	}
	p.Conflict(most, s.ImageMaximumGCAge, fmt.Sprintf("%s is %s and %s is %s", most, s.ImageMaximumGCAge, least, shown),
		"want "+most+" above "+least+", or 0s for no limit")
}

// checkStaticPods wants each static pod that runs to have a manifest.
func (s *Settings) checkStaticPods(p report.Place) {
	for _, name := range sortedKeys(s.StaticPods) {
		pod, at := s.StaticPods[name], p.In("static-pods").In(name.String())
		switch {
		case isTrue(pod.Enabled) && (pod.Manifest == nil || pod.Manifest.String() == ""):
			at.Missing("manifest", "enabled is true and manifest is unset", "set manifest to the pod's manifest in base64")
		case isTrue(pod.Enabled) && isFalse(s.StaticPodsEnabled):
			at.Warn("enabled", true, "enabled is true and static-pods-enabled is false: the pod does not run", "set static-pods-enabled to true")
		case pod.Enabled == nil && pod.Manifest != nil:
			at.Warn("enabled", nil, "manifest is set and enabled is not: the pod does not run", "set enabled to true or false")
		}
	}
}
