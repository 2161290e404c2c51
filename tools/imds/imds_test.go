package imds_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	client "github.com/bulkhead-os/bulkhead/sources/platform/imds"
	"github.com/bulkhead-os/bulkhead/tools/imds"
)

var instance = imds.Instance{
	ID: "i-0123456789abcdef0", Type: "m5.large", ImageID: "ami-1", AccountID: "123456789012", Region: "eu-central-1", Zone: "eu-central-1a",
	Architecture: "x86_64", Hostname: "ip-10-0-0-7.eu-central-1.compute.internal", MAC: "0a:00:00:00:00:01",
	IPv4: netip.MustParseAddr("10.0.0.7"), IPv6: netip.MustParseAddr("2001:db8::7"), VPC: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.1.0.0/16")},
	Keys: []imds.Key{{Name: "mine", Text: "ssh-ed25519 AAAA mine"}}, Started: time.Date(2026, 11, 21, 1, 2, 3, 4, time.UTC),
}

// ask makes one request, with headers as name and value.
func ask(t *testing.T, s *imds.Server, method, path string, headers ...string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const (
	tokenPath   = "/latest/api/token"
	tokenHeader = "X-aws-ec2-metadata-token"
	ttlHeader   = "X-aws-ec2-metadata-token-ttl-seconds"
)

func TestTokens(t *testing.T) {
	tests := []struct {
		name, method string
		headers      []string
		want         int
	}{
		{"a session", http.MethodPut, []string{ttlHeader, "21600"}, 200},
		{"a short one", http.MethodPut, []string{ttlHeader, "1"}, 200},
		{"without a time", http.MethodPut, nil, 400},
		{"too long", http.MethodPut, []string{ttlHeader, "21601"}, 400},
		{"no time at all", http.MethodPut, []string{ttlHeader, "0"}, 400},
		{"words", http.MethodPut, []string{ttlHeader, "long"}, 400},
		{"through a proxy", http.MethodPut, []string{ttlHeader, "60", "X-Forwarded-For", "10.0.0.1"}, 403},
		{"with the wrong method", http.MethodGet, []string{ttlHeader, "60"}, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := imds.New(imds.Options{Instance: instance})
			if got, _ := ask(t, s, tt.method, tokenPath, tt.headers...); got != tt.want {
				t.Errorf("%s with %q: %d, want %d", tt.method, tt.headers, got, tt.want)
			}
		})
	}
}

// Tokens end, and nothing is told without one unless sessions are optional.
func TestSessions(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := imds.New(imds.Options{Instance: instance, Now: func() time.Time { return now }})
	_, token := ask(t, s, http.MethodPut, tokenPath, ttlHeader, "60")
	check := func(what string, want int, headers ...string) {
		t.Helper()
		if got, _ := ask(t, s, http.MethodGet, "/latest/meta-data/instance-id", headers...); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	check("without a token", 401)
	check("with another token", 401, tokenHeader, "x")
	check("with the token", 200, tokenHeader, token)
	now = now.Add(time.Minute)
	check("when the token has ended", 401, tokenHeader, token)
	_, token = ask(t, s, http.MethodPut, tokenPath, ttlHeader, "60")
	s.Forget()
	check("on another host", 401, tokenHeader, token)
	s.Change(func(o *imds.Options) { o.WithoutToken = true })
	check("version 1", 200)
	check("version 1 with a wrong token", 401, tokenHeader, "x")
	s.Change(func(o *imds.Options) { o.Off = true })
	check("switched off", 403)
	s.Change(func(o *imds.Options) { o.Off, o.Rate = false, 1 })
	now = now.Add(time.Second)
	check("at the permitted rate", 200)
	check("too fast", 429)
	now = now.Add(time.Second)
	check("a second later", 200)
	s.Change(func(o *imds.Options) { o.Fault = func(*http.Request) int { return 503 } })
	check("with a fault", 503)
}

func TestTree(t *testing.T) {
	s := imds.New(imds.Options{Instance: instance, UserData: []byte("text"), WithoutToken: true, More: map[string]string{"tags/instance/Name": "n"}})
	tests := []struct{ path, want string }{
		{"/latest", "dynamic\nmeta-data\nuser-data"},
		{"/latest/", "dynamic\nmeta-data\nuser-data"},
		{"/2021-07-15/user-data", "text"},
		{"/latest/meta-data/instance-id", instance.ID},
		{"/latest/meta-data/placement/", "availability-zone\nregion"},
		{"/latest/meta-data/public-keys/", "0=mine"},
		{"/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA mine"},
		{"/latest/meta-data/network/interfaces/macs/", "0a:00:00:00:00:01/"},
		{"/latest/meta-data/network/interfaces/macs/0a:00:00:00:00:01/vpc-ipv4-cidr-blocks", "10.0.0.0/16\n10.1.0.0/16"},
		{"/latest/meta-data/tags/instance/Name", "n"},
		{"/latest/meta-data/spot", ""},
		{"/1999-01-01/user-data", ""},
	}
	for _, tt := range tests {
		status, got := ask(t, s, http.MethodGet, tt.path)
		if tt.want == "" {
			got = ""
		}
		if got != tt.want || (status == 404) != (tt.want == "") {
			t.Errorf("GET %s: %d %q, want %q", tt.path, status, got, tt.want)
		}
	}
	_, top := ask(t, s, http.MethodGet, "/latest/meta-data/")
	for _, name := range []string{"ami-id", "network/", "placement/", "public-keys/", "tags/"} {
		if !slices.Contains(strings.Split(top, "\n"), name) {
			t.Errorf("the list at the top is %q, want %s in it", top, name)
		}
	}
	if status, _ := ask(t, imds.New(imds.Options{WithoutToken: true}), http.MethodGet, "/latest/user-data"); status != 404 {
		t.Errorf("user data of an instance without: %d, want 404", status)
	}
}

// serve serves s at an address of this computer, and returns where.
func serve(t *testing.T, s *imds.Server, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this computer has no address for it: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with l
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// The client of the nodes and the service understand each other, over both kinds
// of addresses.
func TestClient(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			s := imds.New(imds.Options{Instance: instance, UserData: []byte("text")})
			c := client.New(serve(t, s, address))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			d, err := client.Source{Client: c}.Read(ctx)
			if err != nil || string(d.UserData) != "text" || d.InstanceID != instance.ID || d.Hostname != instance.Hostname {
				t.Errorf("Read = %+v, %v, want what the instance is", d, err)
			}
			s.Forget()
			doc, err := c.Document(ctx)
			want := client.Document{
				AccountID: instance.AccountID, Architecture: "x86_64", Zone: instance.Zone, ImageID: "ami-1", InstanceID: instance.ID,
				InstanceType: "m5.large", PrivateIP: "10.0.0.7", Region: "eu-central-1",
			}
			if diff := cmp.Diff(want, doc); diff != "" || err != nil {
				t.Errorf("Document: %v (-want +got):\n%s", err, diff)
			}
			blocks, err := c.List(ctx, "network/interfaces/macs/"+instance.MAC+"/vpc-ipv4-cidr-blocks")
			if diff := cmp.Diff([]string{"10.0.0.0/16", "10.1.0.0/16"}, blocks); diff != "" || err != nil {
				t.Errorf("List: %v (-want +got):\n%s", err, diff)
			}
			puts := 0
			for _, a := range s.Asked() {
				if strings.HasPrefix(a, "PUT ") {
					puts++
				}
			}
			if puts != 2 {
				t.Errorf("the client asked %q, want one token, and another one when that was forgotten", s.Asked())
			}
		})
	}
}

// A token does not reach who is beyond the hop limit.
func TestHopLimit(t *testing.T) {
	s := imds.New(imds.Options{Instance: instance, Hops: func(netip.Addr) int { return 2 }})
	url := serve(t, s, "127.0.0.1:0")
	get := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+tokenPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(ttlHeader, "60")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return err
	}
	if err := get(300 * time.Millisecond); err == nil {
		t.Error("a token two hops away: it came, want that it is lost")
	}
	s.Change(func(o *imds.Options) { o.HopLimit = 2 })
	if err := get(time.Minute); err != nil {
		t.Errorf("a token two hops away, with a limit of 2: %v", err)
	}
}

// A recorder keeps what it accepts.
type recorder struct {
	net.Listener
	conns chan *net.TCPConn
}

func (r recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err == nil {
		r.conns <- c.(*net.TCPConn)
	}
	return c, err
}

// Routers see the hop limit in the packets of a token.
func TestHopsOfPackets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := recorder{l, make(chan *net.TCPConn, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = imds.New(imds.Options{HopLimit: 3}).Serve(r) // ends with l
	}()
	defer func() {
		_ = l.Close()
		<-done
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+l.Addr().String()+tokenPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(ttlHeader, "60")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := (<-r.conns).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var hops int
	if controlErr := raw.Control(func(fd uintptr) { hops, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL) }); controlErr != nil || err != nil || hops != 3 {
		t.Errorf("packets of the token live for %d hops, %v, want 3", hops, err)
	}
}
