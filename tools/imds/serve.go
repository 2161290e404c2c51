package imds

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Headers of the protocol.
const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

const (
	tokenPath = "/latest/api/token"
	maxTTL    = 21600 // seconds that a token may last
)

// Versions of the tree. All tell the same here.
var versions = []string{"2009-04-04", "2016-09-02", "2018-09-24", "2020-10-27", "2021-07-15", "2022-09-24", "latest"}

// ServeHTTP answers a request of the instance.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	opt, tree, tooFast := s.state(r)
	status := 0
	if opt.Fault != nil {
		status = opt.Fault(r)
	}
	switch {
	case status != 0:
		refuse(w, status)
	case tooFast:
		refuse(w, http.StatusTooManyRequests)
	case opt.Off:
		refuse(w, http.StatusForbidden)
	case r.URL.Path == tokenPath:
		s.token(w, r, opt)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed)
	case !s.admitted(w, r, opt):
		refuse(w, http.StatusUnauthorized)
	default:
		answer(w, r, tree)
	}
}

// token begins a session.
func (s *Server) token(w http.ResponseWriter, r *http.Request, opt Options) {
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case r.Method != http.MethodPut:
		refuse(w, http.StatusMethodNotAllowed)
		return
	case r.Header.Get("X-Forwarded-For") != "":
		refuse(w, http.StatusForbidden) // it came through an open proxy
		return
	case err != nil || ttl < 1 || ttl > maxTTL:
		refuse(w, http.StatusBadRequest)
		return
	}
	limit := max(opt.HopLimit, 1)
	if far(r, opt, limit) {
		<-r.Context().Done() // the answer is lost on its way
		panic(http.ErrAbortHandler)
	}
	limitHops(r.Context(), limit)
	b := make([]byte, 42)
	_, _ = rand.Read(b) // never fails
	token := base64.URLEncoding.EncodeToString(b)
	s.mu.Lock()
	s.tokens[token] = opt.now().Add(time.Duration(ttl) * time.Second)
	s.mu.Unlock()
	w.Header().Set(ttlHeader, strconv.Itoa(ttl))
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(token))
}

// admitted reports whether the request belongs to a session, or needs none.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, opt Options) bool {
	token := r.Header.Get(tokenHeader)
	if token == "" {
		return opt.WithoutToken
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.tokens[token]
	left := end.Sub(opt.now())
	if !ok || left <= 0 {
		delete(s.tokens, token)
		return false
	}
	w.Header().Set(ttlHeader, strconv.Itoa(int(left/time.Second)))
	return true
}

// answer tells what the tree has at the path of r: a value, or the names in a
// directory.
func answer(w http.ResponseWriter, r *http.Request, tree map[string]string) {
	version, rest, _ := strings.Cut(strings.Trim(path.Clean(r.URL.Path), "/"), "/")
	text, found := tree[rest]
	switch {
	case version == "":
		text, found = strings.Join(versions, "\n"), true
	case !slices.Contains(versions, version):
		found = false
	case !found:
		text, found = list(tree, rest)
	}
	if !found {
		refuse(w, http.StatusNotFound)
		return
	}
	kind := "text/plain"
	if rest == userDataPath {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method == http.MethodGet {
		_, _ = w.Write([]byte(text))
	}
}

// refuse answers with a page that names the status, as EC2 does.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	text := fmt.Sprintf("%d - %s", status, http.StatusText(status))
	fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n", text, text)
}

// far reports whether the one who asks is beyond the hop limit.
func far(r *http.Request, opt Options, limit int) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return opt.Hops != nil && err == nil && opt.Hops(from.Addr().Unmap()) > limit
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// limitHops gives the packets of the connection that ctx belongs to a number of
// hops to live, so that routers drop what goes further.
func limitHops(ctx context.Context, hops int) {
	c, ok := ctx.Value(connKey{}).(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		// One of the two is of the other kind of address, and refused.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, hops)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops)
	})
}
