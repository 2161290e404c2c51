package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Nodes in a network of this process are not reached from this computer: the
// API server asks a proxy, on a socket, to connect to them.
const (
	egressFile   = "egress.yaml"
	egressSocket = "egress.sock"
)

const egressConfig = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
  - name: cluster
    connection:
      proxyProtocol: HTTPConnect
      transport:
        uds:
          udsName: %q
`

// serveProxy serves the proxy until ctx ends. The API server runs in the
// directory of the control plane, so that the path of the socket is short.
func (c *ControlPlane) serveProxy(ctx context.Context) error {
	if c.opt.Dial == nil {
		return nil
	}
	if err := renameio.WriteFile(c.path(egressFile), fmt.Appendf(nil, egressConfig, egressSocket), 0o600); err != nil {
		return err
	}
	l, err := listen(c.opt.Dir, egressSocket)
	if err != nil {
		return err
	}
	proxy := &proxy{dial: c.opt.Dial}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	c.working.Go(func() {
		_ = server.Serve(l) // ends below
		proxy.underway.Wait()
	})
	c.working.Go(func() {
		<-ctx.Done()
		_ = server.Close()
	})
	return nil
}

// listen makes a socket in dir, in place of one that was left behind. The kernel
// takes 107 bytes, and dir may lie deep.
func listen(dir, name string) (net.Listener, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(fd)
	path := fmt.Sprintf("/proc/self/fd/%d/%s", fd, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		l.(*net.UnixListener).SetUnlinkOnClose(false) // by then the path means nothing
	}
	return l, err
}

// A proxy connects who asks with CONNECT.
type proxy struct {
	dial     func(ctx context.Context, address string) (net.Conn, error)
	underway sync.WaitGroup // connections that are no longer the server's
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "want CONNECT", http.StatusMethodNotAllowed)
		return
	}
	to, err := p.dial(r.Context(), r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	p.underway.Add(1)
	defer p.underway.Done()
	join(r.Context(), from, buffered, to)
}

// join passes on what comes from either side, until one ends or ctx does.
func join(ctx context.Context, from net.Conn, early io.Reader, to net.Conn) {
	end := func() { _, _ = from.Close(), to.Close() }
	stop := context.AfterFunc(ctx, end)
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		defer end()
		_, _ = io.Copy(to, early) // what is read ahead, and then the connection
	})
	both.Go(func() {
		defer end()
		_, _ = io.Copy(from, to)
	})
	both.Wait()
}
