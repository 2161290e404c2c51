package kubepki_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
)

func open(t *testing.T, dir string) *kubepki.PKI {
	t.Helper()
	p, err := kubepki.Open(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ControlPlane(append(kubepki.Local("cluster.local"), "192.0.2.1"), time.Now()); err != nil {
		t.Fatal(err)
	}
	return p
}

// Authorities stay, everything else is made anew, and all keys are for their
// owner alone.
func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	open(t, dir)
	before := files(t, dir)
	open(t, dir)
	after := files(t, dir)
	for name, text := range before {
		stays := map[string]bool{
			"ca.crt": true, "ca.key": true, "front-proxy-ca.crt": true, "front-proxy-ca.key": true, "etcd-ca.crt": true, "etcd-ca.key": true, "sa.key": true, "sa.pub": true,
		}[name]
		if same := after[name] == text; same != stays {
			t.Errorf("%s is the same after another start: %t, want %t", name, same, stays)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) == ".key" && info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: %v, want 0600", name, info.Mode())
		}
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

// The API server is known by each of its names, and only to those who know the
// authority of the cluster.
func TestServer(t *testing.T) {
	p := open(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(p.Path("apiserver.crt"), p.Path("apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, authority, host string
		ok                    bool
	}{
		{"its address", kubepki.Cluster, "192.0.2.1", true},
		{"its name in the cluster", kubepki.Cluster, "kubernetes.default.svc.cluster.local", true},
		{"another address", kubepki.Cluster, "192.0.2.2", false},
		{"another authority", kubepki.Etcd, "192.0.2.1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(p.Bundle(tt.authority))
			_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: tt.host, Roots: roots})
			if ok := err == nil; ok != tt.ok {
				t.Errorf("Verify(%s, %s) = %v, want accepted %t", tt.authority, tt.host, err, tt.ok)
			}
		})
	}
}

func TestKubeconfig(t *testing.T) {
	p := open(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := p.WriteKubeconfig(file, "dev", "https://192.0.2.1:6443", "admin"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Current  string `json:"current-context"`
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Current != "dev" || got.Clusters[0].Cluster.Server != "https://192.0.2.1:6443" {
		t.Errorf("kubeconfig is for %s at %s, want dev at https://192.0.2.1:6443", got.Current, got.Clusters[0].Cluster.Server)
	}
	if diff := cmp.Diff(string(p.Bundle(kubepki.Cluster)), string(got.Clusters[0].Cluster.CA)); diff != "" {
		t.Errorf("authority (-want +got):\n%s", diff)
	}
	pair, err := tls.X509KeyPair(got.Users[0].User.Cert, got.Users[0].User.Key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{kubepki.Admins}, pair.Leaf.Subject.Organization); diff != "" {
		t.Errorf("groups of the admin (-want +got):\n%s", diff)
	}
}

func TestToken(t *testing.T) {
	made := kubepki.NewToken()
	got, err := kubepki.ParseToken(made.String())
	if err != nil || got != made {
		t.Errorf("ParseToken(%q) = %v, %v, want the token that was made", made, got, err)
	}
	if other := kubepki.NewToken(); other == made {
		t.Errorf("two tokens are both %s", made)
	}
	for _, wrong := range []string{"", "abcdef", "abcdef.0123456789abcde", "ABCDEF.0123456789abcdef"} {
		if _, err := kubepki.ParseToken(wrong); err == nil {
			t.Errorf("ParseToken(%q) has no error, want one", wrong)
		}
	}
}

// A directory that somebody changed is refused and not mended.
func TestForeignKey(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	key, err := os.ReadFile(p.Path("etcd-ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Path("ca.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = kubepki.Open(dir, time.Now())
	if want := "authority ca: its key does not belong to its certificate"; err == nil || err.Error() != want {
		t.Errorf("Open with the key of another authority: %v, want %s", err, want)
	}
}
