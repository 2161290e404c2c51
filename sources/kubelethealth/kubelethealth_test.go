package kubelethealth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// A lab is a node with a kubelet and a cluster.
type lab struct {
	node
	t       *testing.T
	dir     string
	cluster *httptest.Server
	kubelet func(http.ResponseWriter, *http.Request)
	answer  map[string]string // of the cluster, by path; a number is a status
	tokens  []string          // that the cluster was shown
}

const ready = `{"status": {"conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}}`

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), answer: map[string]string{"/version": "{}", "/api/v1/nodes/n1": ready, "/api/v1/pods": "{}"}}
	l.kubelet = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }
	kubelet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.kubelet(w, r) }))
	t.Cleanup(kubelet.Close)
	l.cluster = httptest.NewTLSServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.cluster.Close)
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	l.node = node{root: root, health: kubelet.URL, pods: l.cluster.URL + "/pods", now: time.Now, command: runCommand}
	l.write(configFile, "")
	l.write("etc/kubernetes/pki/ca.crt", certificate(l.cluster.Certificate()))
	l.join(l.cluster.URL, "")
	l.write("var/lib/kubelet/pki/kubelet-client-1.pem", clientPair(t, "system:node:n1"))
	if err := os.Symlink(filepath.Join(l.dir, "var/lib/kubelet/pki/kubelet-client-1.pem"), filepath.Join(l.dir, clientFile)); err != nil {
		t.Fatal(err)
	}
	return l
}

const clientFile = "var/lib/kubelet/pki/kubelet-client-current.pem"

func (l *lab) serve(w http.ResponseWriter, r *http.Request) {
	l.tokens = append(l.tokens, r.Header.Get("Authorization"))
	var status int
	if _, err := fmt.Sscanf(l.answer[r.URL.Path], "%d", &status); err == nil {
		http.Error(w, "{}", status)
		return
	}
	fmt.Fprint(w, l.answer[r.URL.Path])
}

// join has the node be in the cluster at server, with more lines for its user.
func (l *lab) join(server, user string) {
	if user == "" {
		user = "client-certificate: /" + clientFile
	}
	l.write(accessFile, fmt.Sprintf("clusters: [{cluster: {server: %q, certificate-authority: /etc/kubernetes/pki/ca.crt}}]\nusers:\n- user:\n    %s\n", server, user))
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	file := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) remove(name string) {
	l.t.Helper()
	if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
		l.t.Fatal(err)
	}
}

func certificate(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// clientPair returns a certificate with its key.
func clientPair(t *testing.T, name string) string {
	t.Helper()
	cert, key := issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(cert) + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func issue(t *testing.T, name string, from, to time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		DNSNames: []string{"127.0.0.1"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	template.IPAddresses = append(template.IPAddresses, []byte{127, 0, 0, 1})
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// Each cause has its code, and the first in the way of a request is told alone.
func TestFaults(t *testing.T) {
	waiting := func(reason string) string {
		return `{"items": [{"metadata": {"name": "a", "namespace": "b"}, "status": {"containerStatuses": [{"image": "x:1", "state": {"waiting": {"reason": "` + reason + `", "message": "no such\nhost"}}}]}}]}`
	}
	const token = "clusters: []\nusers: [{user: {token: abc}}]"
	tests := []struct {
		name string
		set  func(l *lab)
		want []string // code, setting and the beginning of the detail
	}{
		{"all is well", func(*lab) {}, nil},
		{"no cluster", func(l *lab) { l.remove("etc"); l.kubelet = http.NotFound }, nil},
		{"kubelet is not well", func(l *lab) {
			l.kubelet = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "[-]syncloop failed", 500) }
		}, []string{"kubelet-not-healthy  the kubelet is not well: [-]syncloop failed"}},
		{"kubelet is down", func(l *lab) { l.health = "http://127.0.0.1:1" }, []string{"kubelet-not-healthy  the kubelet does not answer: Get"}},
		{"unknown name", func(l *lab) { l.join("https://api.invalid", "") }, []string{"kubernetes-name settings.kubernetes.api-server the name of the API server is not known"}},
		{"nobody there", func(l *lab) { l.join("https://127.0.0.1:1", "") }, []string{"kubernetes-unreachable settings.kubernetes.api-server the API server is not reached: dial tcp"}},
		{"another authority", func(l *lab) {
			other, _ := issue(l.t, "other", time.Now(), time.Now().Add(time.Hour))
			l.write("etc/kubernetes/pki/ca.crt", certificate(other))
		}, []string{"kubernetes-wrong-authority settings.kubernetes.cluster-certificate the API server shows a certificate of another authority"}},
		{"no authority", func(l *lab) { l.write("etc/kubernetes/pki/ca.crt", "no") }, []string{"kubernetes-access  settings.kubernetes.cluster-certificate holds no certificate"}},
		{"another name", func(l *lab) {
			l.join(strings.Replace(l.cluster.URL, "127.0.0.1", "localhost", 1), "")
		}, []string{"kubernetes-wrong-name settings.kubernetes.api-server the API server shows a certificate for other names"}},
		{"clock", func(l *lab) { l.now = func() time.Time { return time.Now().Add(-3 * time.Hour) } }, []string{"kubernetes-clock settings.ntp.time-servers the clock of the node is "}},
		{"certificate not taken", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "401" }, []string{"kubernetes-refused  the cluster does not take the certificate of the node"}},
		{"may not", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "403" }, []string{"kubernetes-refused  the API server answers 403 to node n1: {}"}},
		{"overloaded", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "503" }, []string{"kubernetes-unreachable settings.kubernetes.api-server the API server answers 503: {}"}},
		{"not registered", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "404" }, []string{"kubernetes-not-registered  the cluster has no node n1"}},
		{"not ready", func(l *lab) {
			l.answer["/api/v1/nodes/n1"] = `{"status": {"conditions": [{"type": "DiskPressure", "status": "True", "message": "full"}, {"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]}}`
		}, []string{"kubernetes-disk-pressure  full", "kubernetes-not-ready  the node is not ready: cni plugin not initialized"}},
		{"nothing said", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "{}" }, []string{"kubernetes-not-ready  the kubelet has not said yet how the node is"}},
		{"something else", func(l *lab) { l.answer["/api/v1/nodes/n1"] = "<html>" }, []string{"kubernetes-unreachable settings.kubernetes.api-server the API server answers with something that is no node"}},
		{"no image", func(l *lab) { l.answer["/api/v1/pods"] = waiting("ImagePullBackOff") }, []string{"kubernetes-image  pod b/a waits for image x:1: ImagePullBackOff: no such host"}},
		{"still starting", func(l *lab) { l.answer["/api/v1/pods"] = waiting("ContainerCreating") }, nil},
		{"token taken", func(l *lab) { l.remove(clientFile); l.write(bootstrapFile, token) }, []string{"kubernetes-waiting  the cluster has not signed"}},
		{"token refused", func(l *lab) {
			l.remove(clientFile)
			l.write(bootstrapFile, token)
			l.answer["/version"] = "401"
		}, []string{"kubernetes-token settings.kubernetes.bootstrap-token the cluster does not take the token"}},
		{"no token", func(l *lab) { l.remove(clientFile) }, []string{"kubernetes-token settings.kubernetes.bootstrap-token the node has neither"}},
		{"role", func(l *lab) { l.join(l.cluster.URL, "exec: {command: /give, args: [a]}") }, nil},
		{"role refused", func(l *lab) {
			l.join(l.cluster.URL, "exec: {command: /give, args: [a]}")
			l.answer["/version"] = "401"
		}, []string{"kubernetes-refused settings.kubernetes.authentication-mode the cluster does not know the role"}},
		{"no role", func(l *lab) { l.join(l.cluster.URL, "exec: {command: /none}") }, []string{"kubernetes-refused settings.kubernetes.authentication-mode there is none"}},
		{"standalone", func(l *lab) { l.remove(accessFile); l.answer["/pods"] = waiting("ErrImagePull") }, []string{"kubernetes-image  pod b/a waits for image x:1: ErrImagePull"}},
		{"broken access", func(l *lab) { l.write(accessFile, "a: [") }, []string{"kubernetes-access  /etc/kubernetes/kubelet/kubeconfig is no YAML"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.command = func(_ context.Context, words, _ []string) ([]byte, error) {
				if words[0] != "/give" {
					return nil, errors.New("there is none")
				}
				return []byte(`{"status": {"token": "from a program"}}`), nil
			}
			tt.set(l)
			compare(t, tt.want, l.faults(t.Context()))
		})
	}
}

// compare wants the texts of faults to begin as want has them.
func compare(t *testing.T, want []string, faults []report.Fault) {
	t.Helper()
	var got []string
	for i, f := range faults {
		text := fmt.Sprintf("%s %s %s", f.Code, f.Path, f.Detail)
		if i < len(want) && strings.HasPrefix(text, want[i]) {
			text = want[i]
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// A server whose certificate is not valid at the time of the node is told apart
// by its clock.
func TestExpired(t *testing.T) {
	cert, key := issue(t, "api", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	l := newLab(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(l.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	server.StartTLS()
	defer server.Close()
	l.write("etc/kubernetes/pki/ca.crt", certificate(cert))
	l.join(server.URL, "")
	compare(t, []string{"kubernetes-server-expired settings.kubernetes.api-server the certificate of the API server is not valid now"}, l.faults(t.Context()))
	l.now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	compare(t, []string{"kubernetes-clock settings.ntp.time-servers the clock of the node is 24h"}, l.faults(t.Context()))
}

// What the node is shown for is sent to nobody whose certificate is wrong.
func TestTokenIsKept(t *testing.T) {
	l := newLab(t)
	l.remove(clientFile)
	l.write(bootstrapFile, "clusters: []\nusers: [{user: {token: secret}}]")
	other, _ := issue(t, "other", time.Now(), time.Now().Add(time.Hour))
	l.write("etc/kubernetes/pki/ca.crt", certificate(other))
	l.faults(t.Context())
	for _, shown := range l.tokens {
		if shown != "" {
			t.Errorf("the server of another authority was shown %q", shown)
		}
	}
}

func TestStaticPods(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: b}]}\n"
	tests := []struct {
		name, text string
		started    bool
		age        time.Duration
		want       []string
	}{
		{name: "runs", text: pod, started: true, age: time.Hour},
		{name: "not yet", text: pod},
		{name: "not for long", text: pod, age: time.Hour, want: []string{"kubernetes-static-pod settings.kubernetes.static-pods.one the kubelet does not start the pod default/web"}},
		{name: "no YAML", text: "a: [", want: []string{"kubernetes-static-pod settings.kubernetes.static-pods.one the manifest is no YAML of a pod: line 1"}},
		{name: "something else", text: "apiVersion: apps/v1\nkind: Deployment\n", want: []string{`kubernetes-static-pod settings.kubernetes.static-pods.one the manifest is of "Deployment" in version "apps/v1", want Pod in v1`}},
		{name: "no name", text: "apiVersion: v1\nkind: Pod\n", want: []string{"kubernetes-static-pod settings.kubernetes.static-pods.one the manifest has no metadata.name"}},
		{name: "empty", text: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", want: []string{"kubernetes-static-pod settings.kubernetes.static-pods.one the manifest has no spec.containers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.write(staticPods+"/one.yaml", tt.text)
			if tt.started {
				l.write(podLogs+"/default_web-n1_123/a/0.log", "")
			}
			l.now = func() time.Time { return time.Now().Add(tt.age) }
			l.remove(accessFile) // the clock of the cluster does not count here
			compare(t, tt.want, l.faults(t.Context()))
		})
	}
}
