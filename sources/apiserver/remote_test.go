package apiserver_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/api/remote"
)

// What a node that is open to the network says about itself holds across
// restarts, and so does who may come.
func TestRemoteAcrossRestarts(t *testing.T) {
	authority, err := pki.Create(t.TempDir(), "test", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := authority.Issue(pki.Request{Name: "alice", Role: pki.Reader}, false)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(made.File, made.File)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()

	dir := t.TempDir()
	p := start(t, dir)
	p.set(fmt.Sprintf(`{"api":{"remote":{"enabled":true,"listen":[%q],"client-ca":%q}}}`, at, base64.StdEncoding.EncodeToString(authority.Bundle())))
	first := reach(t, dir, at, cert)
	p.stop()
	start(t, dir)
	if again := reach(t, dir, at, cert); again != first {
		t.Errorf("fingerprint after a restart %q, want %q", again, first)
	}
	if info, err := os.Stat(filepath.Join(dir, "run/bulkhead/apiserver/remote.json")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("file about the access: %v, %v, want mode 0644", info, err)
	}
}

// reach waits until the node answers at at and returns the fingerprint that it
// tells its programs.
func reach(t *testing.T, dir, at string, cert tls.Certificate) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	within(t, "answer at "+at, func() bool {
		res, err := client.Get("https://" + at + "/health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	var s remote.Status
	within(t, "file about the access", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "run/bulkhead/apiserver/remote.json"))
		return err == nil && json.Unmarshal(data, &s) == nil
	})
	if len(s.Listen) != 1 || s.Listen[0] != at {
		t.Errorf("the node says that it listens at %v, want %s", s.Listen, at)
	}
	return s.Fingerprint
}
