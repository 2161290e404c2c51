package packagelint_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bulkhead-os/bulkhead/models/settings/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

// Files that settings of the kubelet get into.
const (
	kubeletDir   = "/etc/kubernetes/kubelet/"
	kubeletFlags = "/etc/systemd/system/kubelet.service.d/50-settings.conf"
)

// kubeletSettings is what becomes of each setting in the document "full": the file,
// the path of a field in it where it is YAML, and its value or a part of the text.
var kubeletSettings = map[string]struct{ file, path, want string }{
	"cluster-name":                            {"", "", "only with authentication-mode aws: golden files of kubernetes-aws"},
	"static-pods":                             {"", "", "golden files of standalone"},
	"standalone-mode":                         {"", "", "golden files of standalone"},
	"hostname-override-source":                {"", "", "read by the generators"},
	"pod-infra-container-image":               {"", "", "has no effect"},
	"cluster-certificate":                     {"/etc/kubernetes/pki/ca.crt", "", "BEGIN CERTIFICATE"},
	"server-certificate":                      {"/etc/kubernetes/pki/kubelet-server.crt", "", "BEGIN CERTIFICATE"},
	"server-key":                              {"/etc/kubernetes/pki/private/kubelet-server.key", "", "BEGIN PRIVATE KEY"},
	"api-server":                              {kubeletDir + "kubeconfig", "clusters.0.cluster.server", "https://[2001:db8::1]:6443/"},
	"authentication-mode":                     {kubeletDir + "config.yaml", "rotateCertificates", "true"},
	"bootstrap-token":                         {kubeletDir + "bootstrap-kubeconfig", "users.0.user.token", "a1b2c3.0123456789abcdef"},
	"server-tls-bootstrap":                    {kubeletDir + "config.yaml", "tlsCertFile", "/etc/kubernetes/pki/kubelet-server.crt"}, // which takes its place
	"cloud-provider":                          {kubeletFlags, "", "--cloud-provider=external"},
	"node-labels":                             {kubeletFlags, "", `"--node-labels=empty=,example.org/disk=nvme"`},
	"hostname-override":                       {kubeletFlags, "", "--hostname-override=alpha-7"},
	"node-ip":                                 {kubeletFlags, "", "--node-ip=2001:db8::107"},
	"log-level":                               {kubeletFlags, "", "--v=4"},
	"credential-providers":                    {kubeletDir + "credential-providers.yaml", "providers.0.name", "ecr-credential-provider"},
	"device-ownership-from-security-context":  {"/etc/containerd/config.toml", "", "device_ownership_from_security_context = true"},
	"pod-network":                             {"/etc/cni/net.d/90-pod-network.conflist", "plugins.0.ipam.ranges.0.0.subnet", "fd00:10:244:1::/64"},
	"kubelet-extra":                           {kubeletDir + "config.d/50-extra.conf", "nodeStatusMaxImages", "100"},
	"node-taints":                             {kubeletDir + "config.yaml", "registerWithTaints.1.effect", "NoExecute"},
	"static-pods-enabled":                     {kubeletDir + "config.yaml", "staticPodPath", "<nothing>"},
	"eviction-hard":                           {kubeletDir + "config.yaml", "evictionHard.imagefs~inodesFree", "10%"},
	"eviction-soft":                           {kubeletDir + "config.yaml", "evictionSoft.memory~available", "10%"},
	"eviction-soft-grace-period":              {kubeletDir + "config.yaml", "evictionSoftGracePeriod.memory~available", "1m30s"},
	"eviction-max-pod-grace-period":           {kubeletDir + "config.yaml", "evictionMaxPodGracePeriod", "0"},
	"kube-reserved":                           {kubeletDir + "config.yaml", "kubeReserved.pid", "500"},
	"system-reserved":                         {kubeletDir + "config.yaml", "systemReserved.cpu", "250m"},
	"allowed-unsafe-sysctls":                  {kubeletDir + "config.yaml", "allowedUnsafeSysctls.1", "kernel.msg*"},
	"registry-qps":                            {kubeletDir + "config.yaml", "registryPullQPS", "0"},
	"registry-burst":                          {kubeletDir + "config.yaml", "registryBurst", "15"},
	"event-qps":                               {kubeletDir + "config.yaml", "eventRecordQPS", "30"},
	"event-burst":                             {kubeletDir + "config.yaml", "eventBurst", "60"},
	"kube-api-qps":                            {kubeletDir + "config.yaml", "kubeAPIQPS", "40"},
	"kube-api-burst":                          {kubeletDir + "config.yaml", "kubeAPIBurst", "80"},
	"container-log-max-size":                  {kubeletDir + "config.yaml", "containerLogMaxSize", "30Mi"},
	"container-log-max-files":                 {kubeletDir + "config.yaml", "containerLogMaxFiles", "3"},
	"container-log-max-workers":               {kubeletDir + "config.yaml", "containerLogMaxWorkers", "2"},
	"container-log-monitor-interval":          {kubeletDir + "config.yaml", "containerLogMonitorInterval", "20s"},
	"cpu-cfs-quota-enforced":                  {kubeletDir + "config.yaml", "cpuCFSQuota", "false"},
	"cpu-manager-policy":                      {kubeletDir + "config.yaml", "cpuManagerPolicy", "static"},
	"cpu-manager-reconcile-period":            {kubeletDir + "config.yaml", "cpuManagerReconcilePeriod", "15s"},
	"cpu-manager-policy-options":              {kubeletDir + "config.yaml", "cpuManagerPolicyOptions.full-pcpus-only", "true"},
	"topology-manager-scope":                  {kubeletDir + "config.yaml", "topologyManagerScope", "pod"},
	"topology-manager-policy":                 {kubeletDir + "config.yaml", "topologyManagerPolicy", "single-numa-node"},
	"topology-manager-policy-options":         {kubeletDir + "config.yaml", "topologyManagerPolicyOptions.max-allowable-numa-nodes", "16"},
	"pod-pids-limit":                          {kubeletDir + "config.yaml", "podPidsLimit", "-1"},
	"image-gc-high-threshold-percent":         {kubeletDir + "config.yaml", "imageGCHighThresholdPercent", "1"},
	"image-gc-low-threshold-percent":          {kubeletDir + "config.yaml", "imageGCLowThresholdPercent", "0"},
	"image-minimum-gc-age":                    {kubeletDir + "config.yaml", "imageMinimumGCAge", "5m"},
	"image-maximum-gc-age":                    {kubeletDir + "config.yaml", "imageMaximumGCAge", "72h"},
	"max-parallel-image-pulls":                {kubeletDir + "config.yaml", "maxParallelImagePulls", "5"},
	"ids-per-pod":                             {kubeletDir + "config.yaml", "userNamespaces.idsPerPod", "131072"},
	"provider-id":                             {kubeletDir + "config.yaml", "providerID", "metal://rack12/7"},
	"shutdown-grace-period":                   {kubeletDir + "config.yaml", "shutdownGracePeriod", "90s"},
	"shutdown-grace-period-for-critical-pods": {kubeletDir + "config.yaml", "shutdownGracePeriodCriticalPods", "30s"},
	"memory-manager-reserved-memory":          {kubeletDir + "config.yaml", "reservedMemory.0.limits.hugepages-2Mi", "512Mi"},
	"memory-manager-policy":                   {kubeletDir + "config.yaml", "memoryManagerPolicy", "Static"},
	"reserved-cpus":                           {kubeletDir + "config.yaml", "reservedSystemCPUs", "0-1,8"},
	"memory-swap-behavior":                    {kubeletDir + "config.yaml", "memorySwap.swapBehavior", "LimitedSwap"},
	"memory-reservation-policy":               {kubeletDir + "config.yaml", "memoryReservationPolicy", "TieredReservation"},
	"memory-throttling-factor":                {kubeletDir + "config.yaml", "memoryThrottlingFactor", "0.8"},
	"seccomp-default":                         {kubeletDir + "config.yaml", "seccompDefault", "false"},
	"max-pods":                                {kubeletDir + "config.yaml", "maxPods", "250"},
	"cluster-dns-ip":                          {kubeletDir + "config.yaml", "clusterDNS.1", "10.96.0.10"},
	"cluster-domain":                          {kubeletDir + "config.yaml", "clusterDomain", "cluster.example.org"},
	"single-process-oom-kill":                 {kubeletDir + "config.yaml", "singleProcessOOMKill", "true"},
	"container-runtime-endpoint":              {kubeletDir + "config.yaml", "containerRuntimeEndpoint", "unix:///run/other/containerd.sock"},
}

// Each setting of the kubelet has its effect at both versions; that the kubelet
// takes the files is looked at by tools/validators, with its own types.
func TestKubeletSettings(t *testing.T) {
	all := load(t)
	for _, variant := range []string{"metal-k8s-1.36", "metal-k8s-1.37"} {
		i := slices.IndexFunc(all, func(c packagelint.Composition) bool { return c.Name == variant })
		files := map[string]string{}
		for _, f := range rendered(t, all[i], "full") {
			files[f.Path] = string(f.Content)
		}
		for name, s := range kubeletSettings {
			if s.file == "" {
				continue
			}
			if got := files[s.file]; s.path == "" && !strings.Contains(got, s.want) {
				t.Errorf("%s, %s: %s does not have %s:\n%s", variant, name, s.file, s.want, got)
			}
			if s.path == "" {
				continue
			}
			if got := at(t, files[s.file], s.path); got != s.want {
				t.Errorf("%s, %s: %s of %s is %s, want %s", variant, name, s.path, s.file, got, s.want)
			}
		}
	}
}

// No setting is forgotten in the table, and none is in it that does not exist.
func TestKubeletSettingsAreAll(t *testing.T) {
	exist := map[string]bool{}
	for f := range reflect.TypeFor[kubernetes.Settings]().Fields() {
		exist[f.Tag.Get("setting")] = true
	}
	for name := range exist {
		if _, ok := kubeletSettings[name]; !ok {
			t.Errorf("what becomes of settings.kubernetes.%s is not looked at", name)
		}
	}
	for name := range kubeletSettings {
		if !exist[name] {
			t.Errorf("there is no settings.kubernetes.%s", name)
		}
	}
}

// at returns what is at a path of a text in YAML. A "~" stands for a dot in a name.
func at(t *testing.T, text, path string) string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(path, ".") {
		part = strings.ReplaceAll(part, "~", ".")
		var index int
		switch v := value.(type) {
		case map[string]any:
			value = v[part]
		case []any:
			if _, err := fmt.Sscanf(part, "%d", &index); err != nil || index >= len(v) {
				return "<nothing>"
			}
			value = v[index]
		default:
			return "<nothing>"
		}
	}
	if value == nil {
		return "<nothing>"
	}
	return fmt.Sprint(value)
}
