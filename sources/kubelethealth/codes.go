package kubelethealth

import "github.com/bulkhead-os/bulkhead/models/report"

// What can be wrong, in the order in which it is looked for.
const (
	kubeletNotHealthy report.Code = "kubelet-not-healthy"
	badAccess         report.Code = "kubernetes-access"
	unknownName       report.Code = "kubernetes-name"
	unreachable       report.Code = "kubernetes-unreachable"
	wrongAuthority    report.Code = "kubernetes-wrong-authority"
	wrongName         report.Code = "kubernetes-wrong-name"
	serverExpired     report.Code = "kubernetes-server-expired"
	wrongClock        report.Code = "kubernetes-clock"
	badToken          report.Code = "kubernetes-token"
	waiting           report.Code = "kubernetes-waiting"
	refused           report.Code = "kubernetes-refused"
	notRegistered     report.Code = "kubernetes-not-registered"
	notReady          report.Code = "kubernetes-not-ready"
	noNetwork         report.Code = "kubernetes-network"
	diskPressure      report.Code = "kubernetes-disk-pressure"
	memoryPressure    report.Code = "kubernetes-memory-pressure"
	pidPressure       report.Code = "kubernetes-pid-pressure"
	noImage           report.Code = "kubernetes-image"
	badStaticPod      report.Code = "kubernetes-static-pod"
)
