package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/audit"
	"github.com/bulkhead-os/bulkhead/api/pki"
	"github.com/bulkhead-os/bulkhead/api/remote"
	"github.com/bulkhead-os/bulkhead/api/server"
)

func block(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

// An authority makes certificates of callers.
type authority struct {
	t *testing.T
	*pki.Authority
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a, err := pki.Create(t.TempDir(), "test", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return authority{t, a}
}

// setting returns the authority as it is set.
func (a authority) setting() string { return base64.StdEncoding.EncodeToString(a.Bundle()) }

func (a authority) issue(r pki.Request) tls.Certificate {
	a.t.Helper()
	made, err := a.Issue(r, false)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(made.File, made.File)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// A remoteNode is a node with access from the network.
type remoteNode struct {
	*node
	ca     authority
	at     netip.AddrPort
	report string
}

// startRemote starts a node and opens it to the network; each of change may
// change how.
func startRemote(t *testing.T, change ...func(*server.Options)) *remoteNode {
	t.Helper()
	dir := t.TempDir()
	n := &remoteNode{ca: newAuthority(t), at: freePort(t), report: filepath.Join(dir, "remote.json")}
	withNetwork := func(o *server.Options) { o.Network = server.Network{Dir: dir, Report: n.report} }
	n.node = start(t, append([]func(*server.Options){withNetwork}, change...)...)
	n.open(n.at)
	return n
}

// open has the node listen at the given addresses, and waits until it does.
func (n *remoteNode) open(at ...netip.AddrPort) {
	n.t.Helper()
	list, err := json.Marshal(at)
	if err != nil {
		n.t.Fatal(err)
	}
	n.set(fmt.Sprintf(`{"api":{"remote":{"enabled":true,"listen":%s,"client-ca":%q,"allowed-roles":["admin","operator","reader"]}}}`, list, n.ca.setting()))
	n.awaitListening(at...)
}

func (n *remoteNode) status() (s remote.Status) {
	if data, err := os.ReadFile(n.report); err != nil || json.Unmarshal(data, &s) != nil {
		return remote.Status{}
	}
	return s
}

func (n *remoteNode) awaitListening(at ...netip.AddrPort) {
	n.t.Helper()
	want := []string{}
	for _, a := range at {
		want = append(want, a.String())
	}
	within(n.t, fmt.Sprintf("listening at %v", want), func() bool { return cmp.Equal(want, append([]string{}, n.status().Listen...)) })
}

func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// A remoteCaller makes requests from the network.
type remoteCaller struct {
	t    *testing.T
	at   netip.AddrPort
	http http.Client
}

// as returns a caller with the role.
func (n *remoteNode) as(role pki.Role) *remoteCaller {
	n.t.Helper()
	return n.with(n.ca.issue(pki.Request{Name: "some-" + string(role), Role: role}))
}

func (n *remoteNode) with(cert tls.Certificate) *remoteCaller {
	t, _ := n.t.(*testing.T)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}}}
	n.t.Cleanup(transport.CloseIdleConnections)
	return &remoteCaller{t, n.at, http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

func (c *remoteCaller) try(line, kind, body string) (answer, error) {
	method, target, _ := strings.Cut(line, " ")
	req, err := http.NewRequest(method, "https://"+c.at.String()+target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", kinds[kind])
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}

func (c *remoteCaller) do(line, kind, body string) answer {
	c.t.Helper()
	a, err := c.try(line, kind, body)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return a
}

// Roles of callers from the network are those of their certificates, and what
// is on record about them names certificate and address.
func TestRolesOfRemoteCallers(t *testing.T) {
	n := startRemote(t)
	reader, operator, admin := n.as(pki.Reader), n.as(pki.Operator), n.as(pki.Admin)
	tests := []struct {
		name   string
		caller *remoteCaller
		line   string
		status int
	}{
		{"reader reads", reader, "GET /settings", 200},
		{"reader writes", reader, "PATCH /settings?tx=reader", 403},
		{"reader sees secrets", reader, "GET /settings?secrets=show", 403},
		{"operator writes", operator, "PATCH /settings?tx=operator", 204},
		{"operator sees secrets", operator, "GET /settings?secrets=show", 403},
		{"admin writes", admin, "PATCH /settings?tx=admin", 204},
		{"admin sees secrets", admin, "GET /settings?secrets=show", 200},
		{"admin writes the generated layer", admin, "PATCH /settings?layer=generated", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := tt.caller.do(tt.line, "json", `{"motd":"x"}`); a.status != tt.status {
				t.Errorf("%s: %d %s, want %d", tt.line, a.status, a.body, tt.status)
			}
		})
	}
	admin.do("POST /tx/commit?tx=admin&message=why", "", "")
	var g []struct {
		Actor struct {
			Name, Via, Role string
			UID             uint32
		}
	}
	if err := json.Unmarshal([]byte(admin.do("GET /generations?limit=1", "", "").body), &g); err != nil {
		t.Fatal(err)
	}
	if a := g[0].Actor; a.Name != "CN=some-admin,O=bulkhead:admin" || a.Via != "tls" || a.Role != "admin" || a.UID == 0 {
		t.Errorf("actor of the generation: %+v, want the certificate's subject", a)
	}
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(n.audit(t)) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Via != "tls" {
			continue
		}
		if host, port, err := net.SplitHostPort(e.Remote); err != nil || host != "127.0.0.1" || port == "" {
			t.Errorf("entry of %s %s is from %q, want an address", e.Method, e.Route, e.Remote)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %d", e.Actor, e.Role, e.Method, e.Route, e.Result))
	}
	want := []string{
		"CN=some-reader,O=bulkhead:reader reader PATCH /settings 403",
		"CN=some-reader,O=bulkhead:reader reader GET /settings 403",
		"CN=some-operator,O=bulkhead:operator operator PATCH /settings 204",
		"CN=some-operator,O=bulkhead:operator operator GET /settings 403",
		"CN=some-admin,O=bulkhead:admin admin PATCH /settings 204",
		"CN=some-admin,O=bulkhead:admin admin GET /settings 200",
		"CN=some-admin,O=bulkhead:admin admin PATCH /settings 403",
		"CN=some-admin,O=bulkhead:admin admin POST /tx/commit 200",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

// A certificate without a role opens nothing.
func TestRemoteCallerWithoutRole(t *testing.T) {
	n := startRemote(t)
	cert := n.ca.issue(pki.Request{Name: "server", Role: pki.Server, Addresses: []string{"127.0.0.1"}})
	a, err := n.with(cert).try("GET /health", "", "")
	if err == nil && a.status != http.StatusForbidden {
		t.Errorf("GET /health with the certificate of a node: %d %s, want a refusal", a.status, a.body)
	}
}

// Whoever changes where the node listens, or closes it, is told what became of
// it before that happens.
func TestRemoteChangeOfItself(t *testing.T) {
	next := freePort(t)
	for name, change := range map[string]string{
		"moved":             fmt.Sprintf(`{"api":{"remote":{"listen":[%q]}}}`, next),
		"closed":            `{"api":{"remote":{"enabled":false}}}`,
		"another authority": fmt.Sprintf(`{"api":{"remote":{"client-ca":%q}}}`, newAuthority(t).setting()),
		"roles":             `{"api":{"remote":{"allowed-roles":["reader"]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			n := startRemote(t)
			c := n.as(pki.Admin)
			if a := c.do("PATCH /settings", "json", change); a.status != 204 {
				t.Fatalf("PATCH /settings: %d %s", a.status, a.body)
			}
			if a := c.do("POST /tx/commit_and_apply?wait=10s", "", ""); a.status != 200 || !strings.Contains(a.body, "settings.api.remote.") {
				t.Fatalf("POST /tx/commit_and_apply: %d %s, want the keys", a.status, a.body)
			}
			within(t, "the change", func() bool { a, err := c.try("GET /settings", "", ""); return err != nil || a.status == 403 })
			switch name {
			case "moved":
				n.awaitListening(next)
				c.at = next
				if a := c.do("GET /settings", "", ""); a.status != 200 {
					t.Errorf("GET /settings at the new address: %d, want 200", a.status)
				}
			case "closed":
				n.awaitListening()
			}
		})
	}
}

// What is refused changes nothing about the access.
func TestRemoteSettingsAreChecked(t *testing.T) {
	n := start(t)
	for change, want := range map[string]string{
		`{"api":{"remote":{"enabled":true}}}`:                      "settings.api.remote.client-ca",
		`{"api":{"remote":{"server-key":"eA=="}}}`:                 "settings.api.remote.server-key",
		`{"api":{"remote":{"listen":["127.0.0.1:80"]}}}`:           "settings.api.remote.listen",
		`{"api":{"remote":{"allowed-roles":["root"]}}}`:            "settings.api.remote.allowed-roles",
		`{"api":{"remote":{"client-ca":"bm90IGEgY2VydAo="}}}`:      "settings.api.remote.client-ca",
		`{"api":{"remote":{"server-certificate":"bm90IG9uZQo="}}}`: "settings.api.remote.server-certificate",
	} {
		a := n.do(request{line: "PATCH /settings?tx=t", kind: "json", body: change})
		if a.status == 204 {
			a = n.do(request{line: "POST /tx/commit?tx=t"})
		}
		if a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s, want a fault of %s", change, a.status, a.body, want)
		}
		n.must("DELETE /tx?tx=t", "", "")
	}
}

// The key of the node's certificate is shown to nobody who does not ask for it.
func TestServerKeyIsSecret(t *testing.T) {
	n := startRemote(t)
	cert := n.ca.issue(pki.Request{Name: "node", Role: pki.Server, Addresses: []string{"127.0.0.1"}})
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString(block("PRIVATE KEY", der))
	made := n.status().Fingerprint
	n.set(fmt.Sprintf(`{"api":{"remote":{"server-certificate":%q,"server-key":%q}}}`, base64.StdEncoding.EncodeToString(block("CERTIFICATE", cert.Certificate[0])), key))
	within(t, "another fingerprint", func() bool { f := n.status().Fingerprint; return f != "" && f != made })
	if a := n.must("GET /settings?keys=api.remote.server-key", "", ""); a.body != `{"api":{"remote":{"server-key":"<redacted>"}}}` {
		t.Errorf("GET of the key: %s, want it hidden", a.body)
	}
	if strings.Contains(n.log.String(), key) {
		t.Error("the log shows the key")
	}
	admin := n.as(pki.Admin)
	admin.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), Certificates: admin.http.Transport.(*http.Transport).TLSClientConfig.Certificates}
	admin.http.Transport.(*http.Transport).TLSClientConfig.RootCAs.AppendCertsFromPEM(n.ca.Bundle())
	if a := admin.do("GET /health", "", ""); a.status != 200 {
		t.Errorf("GET /health with the node's certificate checked: %d, want 200", a.status)
	}
}

// An address that cannot be had is a fault of the node, which goes on.
func TestRemoteAddressInUse(t *testing.T) {
	n := startRemote(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := netip.MustParseAddrPort(l.Addr().String())
	n.set(fmt.Sprintf(`{"api":{"remote":{"listen":[%q,%q]}}}`, n.at, taken))
	var h health
	within(t, "a fault", func() bool {
		h = decode[health](t, n.do(get("/health")))
		return h.Status == "degraded"
	})
	if f := h.Faults[0]; f.Code != remote.CodeListen || f.Value != taken.String() {
		t.Errorf("fault %+v, want one about %s", f, taken)
	}
	l.Close()
	within(t, "the address", func() bool { return decode[health](t, n.do(get("/health"))).Status == "ok" })
	c := n.as(pki.Reader)
	c.at = taken
	if a := c.do("GET /health", "", ""); a.status != 200 {
		t.Errorf("GET /health at the address: %d, want 200", a.status)
	}
}

// A change that is applied may take the network away: unless a remote caller
// waits for it, he has his answer first.
func TestRemoteAnswerBeforeApply(t *testing.T) {
	f := &fakeApplier{hold: make(chan struct{})}
	n := startRemote(t, withApplier(f))
	c := n.as(pki.Operator)
	c.do("PATCH /settings", "json", `{"motd":"x"}`)
	if a := c.do("POST /tx/commit_and_apply", "", ""); a.status != 200 || a.header.Get("Bulkhead-Applied") != "started" {
		t.Fatalf("POST /tx/commit_and_apply: %d %v %s", a.status, a.header, a.body)
	}
	within(t, "the apply", func() bool { return len(f.seen()) == 1 })
	close(f.hold)
	c.do("PATCH /settings", "json", `{"motd":"y"}`)
	if a := c.do("POST /tx/commit_and_apply?wait=10s", "", ""); a.header.Get("Bulkhead-Applied") != "ok" {
		t.Errorf("POST /tx/commit_and_apply?wait=10s: %d %v %s, want it applied", a.status, a.header, a.body)
	}
}

// Event streams from the network end with the access, and with the daemon.
func TestRemoteEventStream(t *testing.T) {
	for name, end := range map[string]func(*remoteNode){
		"access": func(n *remoteNode) { n.set(`{"api":{"remote":{"enabled":false}}}`) },
		"daemon": func(n *remoteNode) { _ = n.stop() }, // its error is told at the end of the test
	} {
		t.Run(name, func(t *testing.T) {
			n := startRemote(t)
			c := n.as(pki.Reader)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+n.at.String()+"/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := c.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := res.Body.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			end(n)
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Errorf("event stream: %v, want an orderly end", err)
			}
		})
	}
}

// A change by which a caller from the network may cut itself off is tried,
// unless the caller says something about that.
func TestNetworkChangesAreTried(t *testing.T) {
	n := startRemote(t)
	admin := n.as(pki.Admin)
	const static = `{"network":{"interfaces":{"eth0":{"addresses":["192.0.2.10/24"]}}}}`
	tests := []struct {
		name, body, query string
		want              string // of the header that says who wanted the try, - without a try
	}{
		{name: "interfaces", body: static, want: "default"},
		{name: "hosts", body: `{"network":{"hosts":[]}}`, want: "default"},
		{name: "time said", body: static, query: "&try=1m"},
		{name: "for good", body: static, query: "&try=none", want: "-"},
		{name: "other settings", body: `{"motd":"x"}`, want: "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			admin.do("PATCH /settings?tx=t", "json", tt.body)
			a := admin.do("POST /tx/commit?tx=t"+tt.query, "", "")
			got, deadline := a.header.Get("Bulkhead-Try"), a.header.Get("Bulkhead-Try-Deadline")
			if deadline == "" {
				got = "-"
			}
			if a.status != http.StatusOK || got != tt.want {
				t.Errorf("commit of %s%s: %d %s, Bulkhead-Try %q until %q, want 200 and %q", tt.body, tt.query, a.status, a.body, got, deadline, tt.want)
			}
			if deadline != "" {
				admin.do("POST /confirm", "", "")
			}
			n.must("DELETE /settings?tx=clear&keys=settings.network,settings.motd", "", "")
			n.must("POST /tx/commit?tx=clear", "", "")
		})
	}
	t.Run("unset", func(t *testing.T) {
		admin.do("PATCH /settings?tx=set", "json", static)
		admin.do("POST /tx/commit?tx=set&try=none", "", "")
		admin.do("DELETE /settings?tx=unset&keys=settings.network", "", "")
		if a := admin.do("POST /tx/commit?tx=unset", "", ""); a.header.Get("Bulkhead-Try") != "default" {
			t.Errorf("commit that unsets settings.network: %d %s, Bulkhead-Try %q, want default", a.status, a.body, a.header.Get("Bulkhead-Try"))
		}
	})
	admin.do("POST /confirm", "", "")
	t.Run("local caller", func(t *testing.T) {
		n.must("PATCH /settings?tx=local", "json", static)
		if a := n.must("POST /tx/commit?tx=local", "", ""); a.header.Get("Bulkhead-Try-Deadline") != "" {
			t.Errorf("commit by a local caller is tried until %s, want for good", a.header.Get("Bulkhead-Try-Deadline"))
		}
	})
}
