// Package kubernetes holds the settings of the node's kubelet.
//
// A node joins a cluster once it knows the cluster: api-server,
// cluster-certificate, and either cluster-name (authentication-mode aws) or
// bootstrap-token (tls). On AWS the addresses and the provider id are found
// out by the node itself. A change of these settings writes the kubelet's
// configuration anew and restarts the kubelet; pods go on running meanwhile.
package kubernetes

import "github.com/bulkhead-os/bulkhead/models/scalar"

// Settings configure the kubelet.
type Settings struct {
	// The name of the cluster. With authentication-mode aws the node proves its
	// identity for this cluster, so it has to be the name that EKS knows.
	ClusterName *ClusterName `setting:"cluster-name"`

	// The certificate authority of the cluster, a PEM file in base64. The kubelet
	// trusts an API server, and clients that connect to the kubelet, only if it
	// signed their certificate.
	ClusterCertificate *scalar.Base64 `setting:"cluster-certificate"`

	// The address of the cluster's API server. Its host is reached without the
	// proxy of network.https-proxy.
	APIServer *APIServer `setting:"api-server"`

	// Labels the node gives itself when it registers. Changed labels reach a node
	// that is already registered only where the cluster allows the kubelet to
	// change them.
	NodeLabels map[LabelKey]LabelValue `setting:"node-labels"`

	// Taints the node gives itself when it registers: per key a list of
	// value:Effect, or one of them without the list. The effects are NoSchedule,
	// PreferNoSchedule and NoExecute. A node that is already registered keeps the
	// taints it has.
	NodeTaints map[LabelKey]Taints `setting:"node-taints"`

	// Pods that the kubelet runs without being told so by the cluster, by the name
	// of their manifest file.
	StaticPods map[scalar.Identifier]StaticPod `setting:"static-pods"`

	// Whether the kubelet runs static pods at all. If unset it does.
	StaticPodsEnabled *bool `setting:"static-pods-enabled"`

	// How the kubelet proves to the API server who it is: aws with the IAM role
	// of the instance, tls with a client certificate that it requests with
	// bootstrap-token and renews by itself.
	AuthenticationMode *AuthenticationMode `setting:"authentication-mode"`

	// The token with which the kubelet requests its first client certificate in
	// authentication-mode tls. It may be removed once the node has joined.
	BootstrapToken *scalar.Secret[BootstrapToken] `setting:"bootstrap-token"`

	// Whether the kubelet runs without a cluster. It then only starts static pods
	// and answers, without asking for credentials, on the loopback address alone.
	StandaloneMode *bool `setting:"standalone-mode"`

	// Per resource the free amount below which the kubelet evicts pods at once, as
	// a percentage or a quantity. If unset, the kubelet's own thresholds hold.
	EvictionHard map[EvictionSignal]Threshold `setting:"eviction-hard"`

	// Per resource the free amount below which the kubelet evicts pods once the
	// shortage has lasted for the time in eviction-soft-grace-period.
	EvictionSoft map[EvictionSignal]Threshold `setting:"eviction-soft"`

	// Per resource how long a shortage has to last before eviction-soft evicts.
	// Each entry of eviction-soft needs one.
	EvictionSoftGracePeriod map[EvictionSignal]Duration `setting:"eviction-soft-grace-period"`

	// The most time, in seconds, that a pod evicted by eviction-soft gets to end.
	EvictionMaxPodGracePeriod *scalar.NonNegative `setting:"eviction-max-pod-grace-period"`

	// Resources kept from pods for the kubelet and the container runtime. What is
	// unset is computed: CPU from the number of cores, memory from max-pods, and
	// 1Gi of ephemeral storage; of a small memory or disk at most a quarter.
	KubeReserved map[ReservedResource]Quantity `setting:"kube-reserved"`

	// Resources kept from pods for the rest of the operating system. Nothing is
	// kept for it unless set.
	SystemReserved map[ReservedResource]Quantity `setting:"system-reserved"`

	// Kernel parameters that pods may set although Kubernetes does not count them
	// as safe. A name may end in * to allow all that start alike.
	AllowedUnsafeSysctls []scalar.SingleLine `setting:"allowed-unsafe-sysctls"`

	// Whether the kubelet requests the certificate of its own server from the
	// cluster. Something in the cluster has to approve the request. Without it,
	// and without server-certificate, the kubelet signs its certificate itself.
	ServerTLSBootstrap *bool `setting:"server-tls-bootstrap"`

	// Who looks after the cloud side of the node: external for a controller in
	// the cluster, aws for code in the kubelet (Kubernetes before 1.27), or an
	// empty string for nobody. The empty string is stored as two quote characters.
	CloudProvider *CloudProvider `setting:"cloud-provider"`

	// How many image pulls per second the kubelet starts at most; 0 is no limit.
	RegistryQPS *int32 `setting:"registry-qps"`

	// How many image pulls may briefly exceed registry-qps.
	RegistryBurst *int32 `setting:"registry-burst"`

	// How many events per second the kubelet creates at most; 0 is no limit.
	EventQPS *int32 `setting:"event-qps"`

	// How many events may briefly exceed event-qps.
	EventBurst *int32 `setting:"event-burst"`

	// How many requests per second the kubelet sends to the API server at most.
	KubeAPIQPS *int32 `setting:"kube-api-qps"`

	// How many requests to the API server may briefly exceed kube-api-qps.
	KubeAPIBurst *int32 `setting:"kube-api-burst"`

	// The size at which the log file of a container is rotated.
	ContainerLogMaxSize *Quantity `setting:"container-log-max-size"`

	// How many log files are kept per container, the current one included. The
	// kubelet takes no less than 2.
	ContainerLogMaxFiles *int32 `setting:"container-log-max-files"`

	// How many log files are rotated at the same time at most.
	ContainerLogMaxWorkers *int32 `setting:"container-log-max-workers"`

	// How often the kubelet looks for log files to rotate.
	ContainerLogMonitorInterval *Duration `setting:"container-log-monitor-interval"`

	// Whether the CPU limits of containers are enforced. If unset they are.
	CPUCFSQuotaEnforced *bool `setting:"cpu-cfs-quota-enforced"`

	// Whether guaranteed pods that request whole CPUs get them to themselves
	// (static) or all pods share all CPUs (none, what holds if unset).
	CPUManagerPolicy *CPUManagerPolicy `setting:"cpu-manager-policy"`

	// How often the CPU manager compares what containers have with what they
	// should have.
	CPUManagerReconcilePeriod *Duration `setting:"cpu-manager-reconcile-period"`

	// Refinements of the static CPU manager policy.
	CPUManagerPolicyOptions []CPUManagerPolicyOption `setting:"cpu-manager-policy-options"`

	// Whether the resources of each container or those of a whole pod are aligned
	// to the same NUMA nodes.
	TopologyManagerScope *TopologyManagerScope `setting:"topology-manager-scope"`

	// How strictly CPUs, devices and memory of a pod are aligned to NUMA nodes:
	// not at all (none), where possible (best-effort), or else the pod is refused
	// (restricted, single-numa-node).
	TopologyManagerPolicy *TopologyManagerPolicy `setting:"topology-manager-policy"`

	// Refinements of topology-manager-policy.
	TopologyManagerPolicyOptions *TopologyManagerOptions `setting:"topology-manager-policy-options"`

	// How many processes one pod may have at most. If unset, 1048576.
	PodPIDsLimit *int64 `setting:"pod-pids-limit"`

	// The disk usage in percent at which the kubelet starts to remove unused
	// images. The kubelet's own value is 85.
	ImageGCHighThresholdPercent *IntegerPercent `setting:"image-gc-high-threshold-percent"`

	// The disk usage in percent down to which the kubelet removes unused images.
	// It has to be below image-gc-high-threshold-percent. The kubelet's own value
	// is 80.
	ImageGCLowThresholdPercent *IntegerPercent `setting:"image-gc-low-threshold-percent"`

	// How long an image has to be unused before it may be removed to free disk
	// space. The kubelet's own value is 2m.
	ImageMinimumGCAge *Duration `setting:"image-minimum-gc-age"`

	// How long an image may be unused before it is removed even where there is
	// disk space. 0s, the kubelet's own value, switches this off.
	ImageMaximumGCAge *Duration `setting:"image-maximum-gc-age"`

	// How many images are pulled at the same time at most.
	MaxParallelImagePulls *int32 `setting:"max-parallel-image-pulls"`

	// How many user and group ids a pod with a user namespace of its own gets: a
	// multiple of 65536.
	IDsPerPod *IDsPerPod `setting:"ids-per-pod"`

	// The id under which the cloud knows this node, such as
	// aws:///eu-west-1a/i-0123456789abcdef0. On AWS the node finds it out.
	ProviderID *scalar.URL `setting:"provider-id"`

	// How much the kubelet logs: 0 is least, 2 usual, above 4 for debugging.
	LogLevel *uint8 `setting:"log-level"`

	// Programs that give the kubelet credentials for image registries, by their
	// name. Only programs that are part of the image can be used.
	CredentialProviders map[scalar.Identifier]CredentialProvider `setting:"credential-providers"`

	// The certificate of the kubelet's own server, a PEM file in base64. It needs
	// server-key; server-tls-bootstrap then has no effect.
	ServerCertificate *scalar.Base64 `setting:"server-certificate"`

	// The private key of server-certificate, a PEM file in base64.
	ServerKey *scalar.Secret[scalar.Base64] `setting:"server-key"`

	// How long a shutdown of the node waits for its pods to end.
	ShutdownGracePeriod *Duration `setting:"shutdown-grace-period"`

	// The part of shutdown-grace-period that is kept for critical pods, which end
	// last.
	ShutdownGracePeriodForCriticalPods *Duration `setting:"shutdown-grace-period-for-critical-pods"`

	// Memory that the memory manager keeps from pods, by NUMA node (0, 1, …).
	// Together it has to be what kube-reserved, system-reserved and the
	// memory.available of eviction-hard reserve, or the kubelet does not start.
	MemoryManagerReservedMemory map[scalar.Identifier]MemoryReservation `setting:"memory-manager-reserved-memory"`

	// Whether guaranteed pods get their memory on the NUMA nodes of their CPUs
	// (Static) or wherever it is free (None). Static needs an enabled entry of
	// memory-manager-reserved-memory.
	MemoryManagerPolicy *MemoryManagerPolicy `setting:"memory-manager-policy"`

	// CPUs on which no guaranteed pod gets CPUs to itself, such as 0-1,8. They
	// replace the amounts of CPU in kube-reserved and system-reserved.
	ReservedCPUs *CPUSet `setting:"reserved-cpus"`

	// Whether pods may use swap: not at all (NoSwap), or in proportion to the
	// memory they request (LimitedSwap).
	MemorySwapBehavior *MemorySwapBehavior `setting:"memory-swap-behavior"`

	// Whether the memory that pods request is protected from being reclaimed:
	// not at all (None), or more strongly the better their quality of service
	// (TieredReservation).
	MemoryReservationPolicy *MemoryReservationPolicy `setting:"memory-reservation-policy"`

	// The share of its memory limit at which a container is slowed down instead
	// of being killed later. Only where the kubelet manages memory quality of
	// service.
	MemoryThrottlingFactor *ThrottlingFactor `setting:"memory-throttling-factor"`

	// The name under which the node registers, instead of its host name. A node
	// that is already registered appears as a new one after a change.
	HostnameOverride *scalar.Hostname `setting:"hostname-override"`

	// Where the node takes hostname-override from when that is unset: its private
	// DNS name in EC2 or its instance id. Only on AWS.
	HostnameOverrideSource *HostnameOverrideSource `setting:"hostname-override-source"`

	// Whether containers that ask for no seccomp profile run with that of the
	// container runtime instead of none.
	SeccompDefault *bool `setting:"seccomp-default"`

	// How many pods the node runs at most. On AWS it follows from the number of
	// addresses the instance type can have; elsewhere it is 110.
	MaxPods *uint32 `setting:"max-pods"`

	// The address of the cluster's DNS service, or a list of addresses, which
	// containers get as their name server.
	ClusterDNSIP *ClusterDNS `setting:"cluster-dns-ip"`

	// The DNS domain of the cluster. Containers search names in it, and the node
	// reaches it without the proxy of network.https-proxy.
	ClusterDomain *scalar.Domain `setting:"cluster-domain"`

	// The address under which the node registers. The node finds it out if unset.
	NodeIP *scalar.IP `setting:"node-ip"`

	// The image of the container that holds a pod together.
	PodInfraContainerImage *scalar.SingleLine `setting:"pod-infra-container-image" deprecated:"it has no effect: this image is part of the operating system"`

	// Whether a device given to a container belongs to the user and group of the
	// container's security context instead of to root.
	DeviceOwnershipFromSecurityContext *bool `setting:"device-ownership-from-security-context"`

	// Whether a container that is out of memory loses only one process instead of
	// all of them.
	SingleProcessOOMKill *bool `setting:"single-process-oom-kill"`

	// The Unix socket of the container runtime that the kubelet uses, as an
	// absolute path or a unix:// URL. If unset, that of the containerd of this
	// system.
	ContainerRuntimeEndpoint *RuntimeEndpoint `setting:"container-runtime-endpoint"`

	// Fields of the kubelet's configuration for which there is no setting, in YAML
	// or JSON as in a KubeletConfiguration of kubelet.config.k8s.io/v1beta1. They
	// are laid over what the other settings give: tables are merged, lists replaced.
	// Fields on which the node itself counts are refused.
	KubeletExtra *KubeletExtra `setting:"kubelet-extra"`

	// A network of pods that the node makes itself, for a cluster without a network
	// plugin of its own. The configuration of a plugin that the cluster brings
	// counts more.
	PodNetwork *PodNetwork `setting:"pod-network"`
}

// A StaticPod is a pod that the kubelet runs by itself.
type StaticPod struct {
	// Whether the pod runs. False stops it and keeps the entry.
	Enabled *bool `setting:"enabled"`

	// The manifest of the pod, a YAML or JSON file in base64.
	Manifest *scalar.Base64 `setting:"manifest"`
}

// A CredentialProvider is a program that gives credentials for image registries.
type CredentialProvider struct {
	// Whether the kubelet asks this program.
	Enabled *bool `setting:"enabled" required:"true"`

	// The images for which the kubelet asks this program: host names with an
	// optional port and path, in which * stands for a part between dots.
	ImagePatterns []scalar.SingleLine `setting:"image-patterns" required:"true"`

	// How long the kubelet keeps credentials of which the program does not say
	// how long they hold. If unset, 12h.
	CacheDuration *Duration `setting:"cache-duration"`

	// Environment variables for the program.
	Environment map[scalar.SingleLine]scalar.SingleLine `setting:"environment"`
}

// A MemoryReservation is the memory kept from pods on one NUMA node.
type MemoryReservation struct {
	// Whether the reservation counts. False keeps the entry without effect.
	Enabled *bool `setting:"enabled" required:"true"`

	// The amount to reserve of each kind of memory.
	Limits map[MemoryResource]Quantity `setting:"*"`
}

// TopologyManagerOptions refine the topology manager's policy.
type TopologyManagerOptions struct {
	// Whether NUMA nodes that are near to one another are preferred where a pod
	// needs more than one.
	PreferClosestNUMANodes *bool `setting:"prefer-closest-numa-nodes"`

	// The largest number of NUMA nodes on which the topology manager works. With
	// more than 8, admitting a pod takes long.
	MaxAllowableNUMANodes *NUMANodeLimit `setting:"max-allowable-numa-nodes"`
}
