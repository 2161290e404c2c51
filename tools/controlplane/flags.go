package controlplane

import (
	"strconv"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/kubeclient"
)

// requestReady asks the API server whether it is ready.
var requestReady = kubeclient.Request{Path: "/readyz"}

// etcd returns the flags of the store, which is its own only member.
func (c *ControlPlane) etcd() []string {
	client, peer := c.etcdURL(c.ports.etcd), c.etcdURL(c.ports.peer)
	return []string{
		"--name=only", "--data-dir=" + c.path("etcd"), "--log-level=warn", "--socket-reuse-port",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=only=" + peer,
		"--client-cert-auth", "--trusted-ca-file=" + c.pki.Path(kubepki.Etcd+".crt"),
		"--cert-file=" + c.pki.Path("etcd-server.crt"), "--key-file=" + c.pki.Path("etcd-server.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + c.pki.Path(kubepki.Etcd+".crt"),
		"--peer-cert-file=" + c.pki.Path("etcd-server.crt"), "--peer-key-file=" + c.pki.Path("etcd-server.key"),
	}
}

func (c *ControlPlane) apiserver() []string {
	words := []string{
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(c.Port), "--permit-port-sharing",
		"--tls-cert-file=" + c.pki.Path("apiserver.crt"), "--tls-private-key-file=" + c.pki.Path("apiserver.key"),
		"--client-ca-file=" + c.pki.Path(kubepki.Cluster+".crt"),
		"--etcd-servers=" + c.etcdURL(c.ports.etcd), "--etcd-cafile=" + c.pki.Path(kubepki.Etcd+".crt"),
		"--etcd-certfile=" + c.pki.Path("apiserver-etcd-client.crt"), "--etcd-keyfile=" + c.pki.Path("apiserver-etcd-client.key"),
		"--kubelet-client-certificate=" + c.pki.Path("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + c.pki.Path("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + c.pki.Path(kubepki.Cluster+".crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc." + Domain,
		"--service-account-key-file=" + c.pki.Path(kubepki.Accounts+".pub"), "--service-account-signing-key-file=" + c.pki.Path(kubepki.Accounts+".key"),
		"--requestheader-client-ca-file=" + c.pki.Path(kubepki.FrontProxy+".crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.pki.Path("front-proxy-client.crt"), "--proxy-client-key-file=" + c.pki.Path("front-proxy-client.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--enable-bootstrap-token-auth", "--allow-privileged",
		"--service-cluster-ip-range=" + services,
	}
	if c.opt.Address == "" {
		words = append(words, "--endpoint-reconciler-type=none")
	} else {
		words = append(words, "--advertise-address="+c.opt.Address)
	}
	if c.opt.Dial != nil {
		words = append(words, "--egress-selector-config-file="+c.path(egressFile))
	}
	return words
}

func (c *ControlPlane) controllerManager() []string {
	return []string{
		"--kubeconfig=" + c.path("controller-manager.conf"), "--leader-elect=false", "--secure-port=0", "--use-service-account-credentials",
		"--controllers=*,bootstrap-signer-controller,token-cleaner-controller",
		"--allocate-node-cidrs", "--cluster-cidr=" + PodCIDR, "--service-cluster-ip-range=" + services, "--cluster-name=" + c.opt.Name,
		"--cluster-signing-cert-file=" + c.pki.Path(kubepki.Cluster+".crt"), "--cluster-signing-key-file=" + c.pki.Path(kubepki.Cluster+".key"),
		"--root-ca-file=" + c.pki.Path(kubepki.Cluster+".crt"), "--service-account-private-key-file=" + c.pki.Path(kubepki.Accounts+".key"),
	}
}

func (c *ControlPlane) scheduler() []string {
	return []string{"--kubeconfig=" + c.path("scheduler.conf"), "--leader-elect=false", "--secure-port=0"}
}
