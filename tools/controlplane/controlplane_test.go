package controlplane_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/tools/controlplane"
	"github.com/bulkhead-os/bulkhead/tools/kubernetes"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// patience is how long anything may take that a control plane does by itself.
const patience = 3 * time.Minute

// minor is the release that is tested.
const minor = "1.37"

// asParent makes the test a program that runs a control plane in the directory
// until it is killed.
const asParent = "BULKHEAD_TEST_CONTROL_PLANE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asParent); dir != "" {
		if err := beParent(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func beParent(dir string) error {
	root, err := workspace.Find(".")
	if err != nil {
		return err
	}
	r, err := kubernetes.New(root, minor)
	if err != nil {
		return err
	}
	if _, err := controlplane.Start(context.Background(), controlplane.Options{Release: r, Dir: dir, Name: "test", Log: slog.Default()}); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

func release(t *testing.T) kubernetes.Release {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a control plane")
	}
	root, err := workspace.Find(".")
	must(t, err)
	r, err := kubernetes.New(root, minor)
	must(t, err)
	if bin := r.Missing(); bin != "" {
		t.Skipf("%s is not built", bin)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, dir string) *controlplane.ControlPlane {
	t.Helper()
	c, err := controlplane.Start(t.Context(), controlplane.Options{
		Release: release(t), Dir: dir, Name: "test", Address: "192.0.2.1", Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Dial: func(_ context.Context, address string) (net.Conn, error) {
			return nil, fmt.Errorf("no way to %s", address)
		},
	})
	must(t, err)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return c
}

// A node joins with a token, is given certificates for what it is and for nothing
// else, and is there when the control plane is started again.
func TestJoin(t *testing.T) {
	dir := t.TempDir()
	begun := time.Now()
	c := start(t, dir)
	t.Logf("the control plane answered after %s", time.Since(begun).Round(10*time.Millisecond))
	var version struct{ GitVersion string }
	must(t, c.Client.Get(t.Context(), "/version", &version))
	if want, err := release(t).Version(); err != nil || version.GitVersion != want {
		t.Errorf("the API says that its version is %s, want %s, %v", version.GitVersion, want, err)
	}
	token := kubepki.NewToken()
	must(t, c.AddToken(t.Context(), token, time.Now().Add(time.Hour)))

	j := c.Join(token)
	if want := fmt.Sprintf("api-server = \"https://192.0.2.1:%d\"\n", c.Port); !strings.Contains(j.Settings(), want) {
		t.Errorf("Settings of a node:\n%swant %q", j.Settings(), want)
	}
	bootstrapper := &user{t: t, server: fmt.Sprintf("https://127.0.0.1:%d", c.Port), token: token.String(), ca: j.CA}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	client := request{Name: "client", Signer: "kubernetes.io/kube-apiserver-client-kubelet", Usages: []string{"digital signature", "client auth"}}
	certificate := bootstrapper.certificate(client, key, nil)

	node := &user{t: t, server: bootstrapper.server, ca: j.CA, pair: &tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}}
	node.send(http.MethodPost, "/api/v1/nodes", "application/json", `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}}`)
	node.send(http.MethodPatch, "/api/v1/nodes/worker/status", "application/merge-patch+json",
		`{"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.10"}, {"type": "Hostname", "address": "worker"}]}}`)
	serving := request{Name: "serving", Signer: "kubernetes.io/kubelet-serving", Usages: []string{"digital signature", "server auth"}}
	got, err := x509.ParseCertificate(node.certificate(serving, key, &x509.CertificateRequest{DNSNames: []string{"worker"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.10")}}))
	must(t, err)
	if err := got.VerifyHostname("192.0.2.10"); err != nil {
		t.Errorf("the certificate that a node serves with: %v", err)
	}
	// Requests are looked at in the order of their names.
	serving.Name = "foreign"
	node.ask(serving, key, &x509.CertificateRequest{IPAddresses: []net.IP{net.ParseIP("192.0.2.11")}})
	serving.Name = "later"
	node.certificate(serving, key, &x509.CertificateRequest{DNSNames: []string{"worker"}})
	if s := statusOf(t, c, "foreign"); len(s.Conditions) > 0 || len(s.Certificate) > 0 {
		t.Errorf("a request for the address of another node has the status %+v, want none", s)
	}

	must(t, c.Stop())
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("processes after Stop: %v, want none", left)
	}
	again := start(t, dir)
	var name struct{ Metadata struct{ Name string } }
	must(t, again.Client.Get(t.Context(), "/api/v1/nodes/worker", &name))
}

// A control plane ends with whoever runs it, however that ends.
func TestKilled(t *testing.T) {
	release(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asParent+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "ready\n" {
		t.Fatalf("the program says %q, %v, want that it is ready", line, err)
	}
	if n := len(processes(t, dir)); n != len(kubernetes.ControlPlane) {
		t.Errorf("a control plane has %d processes, want %d", n, len(kubernetes.ControlPlane))
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // that it was killed
	end := time.Now().Add(patience)
	for len(processes(t, dir)) > 0 {
		if time.Now().After(end) {
			t.Fatalf("processes long after their parent was killed: %v, want none", processes(t, dir))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A part that ends by itself is told.
func TestEnded(t *testing.T) {
	dir := t.TempDir()
	c, err := controlplane.Start(t.Context(), controlplane.Options{Release: release(t), Dir: dir, Name: "test", Log: slog.Default()})
	must(t, err)
	for pid, name := range processes(t, dir) {
		if name == "etcd" {
			p, err := os.FindProcess(pid)
			must(t, err)
			must(t, p.Kill())
		}
	}
	select {
	case <-c.Ended():
	case <-time.After(patience):
		t.Error("nothing is told of a store that was killed")
	}
	if err := c.Stop(); err == nil || !strings.Contains(err.Error(), " has ended: ") {
		t.Errorf("Stop: %v, want that a part has ended", err)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("processes after Stop: %v, want none", left)
	}
}

// processes returns the names of the processes that work with dir.
func processes(t *testing.T, dir string) map[int]string {
	t.Helper()
	found := map[int]string{}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(dir)) {
			continue // or it has gone
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(string(text), "\x00")
		found[pid] = filepath.Base(name)
	}
	return found
}

// A user calls the API as kubelets do.
type user struct {
	t      *testing.T
	server string
	ca     []byte
	token  string
	pair   *tls.Certificate
}

func (u *user) send(method, path, contentType, body string) []byte {
	u.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(u.ca)
	config := &tls.Config{RootCAs: roots}
	if u.pair != nil {
		config.Certificates = []tls.Certificate{*u.pair}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.server+path, strings.NewReader(body))
	must(u.t, err)
	req.Header.Set("Content-Type", contentType)
	if u.token != "" {
		req.Header.Set("Authorization", "Bearer "+u.token)
	}
	resp, err := client.Do(req)
	must(u.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(u.t, err)
	if resp.StatusCode/100 != 2 {
		u.t.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return text
}

// A request is one for a certificate.
type request struct {
	Name, Signer string
	Usages       []string
}

const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// ask asks for a certificate of the node worker.
func (u *user) ask(r request, key *ecdsa.PrivateKey, template *x509.CertificateRequest) {
	u.t.Helper()
	if template == nil {
		template = &x509.CertificateRequest{}
	}
	template.Subject = pkix.Name{CommonName: "system:node:worker", Organization: []string{"system:nodes"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	must(u.t, err)
	body, err := json.Marshal(map[string]any{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": map[string]string{"name": r.Name},
		"spec": map[string]any{
			"signerName": r.Signer, "usages": r.Usages, "request": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		},
	})
	must(u.t, err)
	u.send(http.MethodPost, requests, "application/json", string(body))
}

// certificate asks for a certificate and waits until it is issued.
func (u *user) certificate(r request, key *ecdsa.PrivateKey, template *x509.CertificateRequest) []byte {
	u.t.Helper()
	u.ask(r, key, template)
	end := time.Now().Add(patience)
	for {
		var got struct{ Status status }
		must(u.t, json.Unmarshal(u.send(http.MethodGet, requests+"/"+r.Name, "", ""), &got))
		if block, _ := pem.Decode(got.Status.Certificate); block != nil {
			return block.Bytes
		}
		if time.Now().After(end) {
			u.t.Fatalf("the request %s has the status %+v, want a certificate", r.Name, got.Status)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

type status struct {
	Conditions  []struct{ Type string }
	Certificate []byte
}

func statusOf(t *testing.T, c *controlplane.ControlPlane, name string) status {
	t.Helper()
	var got struct{ Status status }
	must(t, c.Client.Get(t.Context(), requests+"/"+name, &got))
	return got.Status
}
