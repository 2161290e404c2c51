package settings

import (
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntime"
)

// Check finds groups that contradict one another. Each group checks itself.
func (s *Settings) Check(p report.Place) {
	s.checkSnapshotter(p)
	s.checkDeviceList(p)
}

func (s *Settings) checkSnapshotter(p report.Place) {
	if s.ContainerRuntimePlugins == nil || s.ContainerRuntimePlugins.SOCISnapshotter == nil {
		return
	}
	if r := s.ContainerRuntime; r == nil || r.Snapshotter == nil || *r.Snapshotter != containerruntime.SOCI {
		p.In("container-runtime-plugins").Warn("soci-snapshotter", nil,
			"the SOCI snapshotter is configured and not in use", `set settings.container-runtime.snapshotter = "soci"`)
	}
}

// checkDeviceList compares how the device plugin hands out GPUs with what the
// runtime accepts from containers.
func (s *Settings) checkDeviceList(p report.Place) {
	if s.KubeletDevicePlugins == nil || s.KubeletDevicePlugins.NVIDIA == nil || s.NvidiaContainerRuntime == nil {
		return
	}
	list, mounts := s.KubeletDevicePlugins.NVIDIA.DeviceListStrategy, s.NvidiaContainerRuntime.VisibleDevicesAsVolumeMounts
	if list == nil || mounts == nil || *mounts || !slices.Contains(list.Words(), "volume-mounts") {
		return
	}
	p.In("kubelet-device-plugins").In("nvidia").Warn("device-list-strategy", "volume-mounts",
		"the device plugin names GPUs by volume mounts, which settings.nvidia-container-runtime.visible-devices-as-volume-mounts = false makes the runtime ignore",
		"set that to true, or use another strategy")
}
