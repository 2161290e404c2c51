package settings

import (
	"maps"
	"slices"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/containerruntime"
	"github.com/bulkhead-os/bulkhead/models/settings/containers"
)

// Check finds groups that contradict one another. Each group checks itself.
func (s *Settings) Check(p report.Place) {
	s.checkSnapshotter(p)
	s.checkDeviceList(p)
	s.checkContainers(p.In("containers"))
	s.checkHealthChecks(p.In("updates").In("health-checks"))
}

// checkHealthChecks finds checks of updates in containers that there are not, or
// that do not run.
func (s *Settings) checkHealthChecks(p report.Place) {
	if s.Updates == nil {
		return
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.Updates.HealthChecks), scalar.Identifier.Compare) {
		of := s.Updates.HealthChecks[name].Container
		if of == nil {
			continue
		}
		if c, ok := s.Containers[*of]; !ok || !c.Runs() {
			p.In(name.String()).Conflict("container", of, "there is no container "+of.String()+" that runs",
				"name a container of settings.containers that is not off")
		}
	}
}

// checkContainers finds containers that use secrets which there are not.
func (s *Settings) checkContainers(p report.Place) {
	for _, name := range s.Containers.Names() {
		c, at := s.Containers[name], p.In(name.String())
		for _, variable := range slices.SortedFunc(maps.Keys(c.SecretEnv), containers.EnvName.Compare) {
			s.checkSecret(at.In("secret-env"), variable.String(), c.SecretEnv[variable])
		}
		for _, secret := range c.SecretFiles {
			s.checkSecret(at, "secret-files", secret)
		}
	}
}

func (s *Settings) checkSecret(p report.Place, member string, secret scalar.Identifier) {
	if _, ok := s.ContainerSecrets[secret]; !ok {
		p.Conflict(member, secret, "there is no secret "+secret.String(), "set settings.container-secrets."+secret.String()+", or name one that is there")
	}
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
