package kubepki

import "time"

// Admins is the group of users who may do everything.
const Admins = "system:masters"

// Local are the names by which each control plane is called from within its
// cluster or its own computer.
func Local(domain string) []string {
	return []string{
		"localhost", "127.0.0.1", "::1",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain,
	}
}

// ControlPlane makes the certificates of the programs of a control plane, whose
// API server is called by addresses. Each is in the files NAME.crt and NAME.key.
func (p *PKI) ControlPlane(addresses []string, now time.Time) error {
	loopback := []string{"localhost", "127.0.0.1", "::1"}
	for file, l := range map[string]Leaf{
		"apiserver":                {Authority: Cluster, Name: "kube-apiserver", Server: true, Addresses: addresses},
		"apiserver-kubelet-client": {Authority: Cluster, Name: "kube-apiserver-kubelet-client", Groups: []string{Admins}, Client: true},
		"apiserver-etcd-client":    {Authority: Etcd, Name: "kube-apiserver-etcd-client", Client: true},
		"front-proxy-client":       {Authority: FrontProxy, Name: "front-proxy-client", Client: true},
		"etcd-server":              {Authority: Etcd, Name: "etcd", Server: true, Client: true, Addresses: loopback},
		"controller-manager":       {Authority: Cluster, Name: "system:kube-controller-manager", Client: true},
		"scheduler":                {Authority: Cluster, Name: "system:kube-scheduler", Client: true},
		"admin":                    {Authority: Cluster, Name: "kubernetes-admin", Groups: []string{Admins}, Client: true},
	} {
		if err := p.IssueFile(file, l, now); err != nil {
			return err
		}
	}
	return nil
}
