package controlplane

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a proxy connects is what is asked for, and it ends with whom it belongs to.
func TestProxy(t *testing.T) {
	kubelet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "from "+r.URL.Path)
	}))
	defer kubelet.Close()
	c := &ControlPlane{opt: Options{Dir: filepath.Join(t.TempDir()), Dial: func(ctx context.Context, address string) (net.Conn, error) {
		if address != "node:10250" {
			return nil, errors.New("no way")
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", kubelet.Listener.Addr().String())
	}}}
	ctx, stop := context.WithCancel(t.Context())
	if err := c.serveProxy(ctx); err != nil {
		t.Fatal(err)
	}
	ask := func(to string) (net.Conn, *bufio.Reader, *http.Response) {
		conn, err := net.Dial("unix", c.path(egressSocket))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		return conn, r, resp
	}
	conn, r, resp := ask("node:10250")
	defer conn.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT to a kubelet: %s, want 200", resp.Status)
	}
	if _, err := io.WriteString(conn, "GET /pods HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || string(text) != "from /pods" {
		t.Errorf("answer through the proxy: %q, %v, want %q", text, err, "from /pods")
	}
	other, _, refused := ask("node:22")
	defer other.Close()
	text, _ = io.ReadAll(io.LimitReader(refused.Body, 100))
	if refused.StatusCode != http.StatusBadGateway || !strings.Contains(string(text), "no way") {
		t.Errorf("CONNECT elsewhere: %s, %q, want 502 and why", refused.Status, text)
	}
	stop()
	ended := make(chan struct{})
	go func() {
		c.working.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the proxy goes on after its end, with a connection that was open")
	}
}

// A port that somebody listens at is not taken, and one that was taken stays ours.
func TestReserve(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if p, err := reserve(l.Addr().(*net.TCPAddr).Port); err == nil {
		p.release()
		t.Errorf("reserve(%s) = %+v, want an error: somebody listens there", l.Addr(), p)
	}
	p, err := reserve(0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.release()
	if p.api == 0 || p.api == p.etcd || p.etcd == p.peer || p.api == p.peer {
		t.Errorf("ports %+v, want three", p)
	}
	if other, err := reserve(p.api); err == nil {
		other.release()
		t.Errorf("port %d was taken twice", p.api)
	}
}
