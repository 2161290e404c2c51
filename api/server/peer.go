package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// withPeer finds out, when a connection is accepted, who is at its other end.
// The kernel recorded that when the peer connected, so it cannot change while
// requests come.
func (s *Server) withPeer(ctx context.Context, c net.Conn) context.Context {
	p, err := peerOf(c)
	if err != nil {
		s.opt.Log.Warn("caller unknown", "err", err)
		p = &Peer{name: "unknown"}
	} else {
		s.opt.Access.identify(p, uint32(os.Getuid()))
	}
	if p.stranger != "" {
		p.limit(None)
	}
	if sc, ok := c.(*slotConn); !ok {
		p.limit(None)
	} else {
		p.limit(sc.most)
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peerFrom returns the caller of a request.
func peerFrom(ctx context.Context) *Peer {
	if p, ok := ctx.Value(peerKey{}).(*Peer); ok {
		return p
	}
	return &Peer{name: "unknown"}
}

func peerOf(c net.Conn) (*Peer, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("credentials of %T: not a socket", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("credentials of the peer: %w", err)
	}
	p := &Peer{}
	var fault error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, fault = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); fault != nil {
			return
		}
		p.UID, p.GID, p.PID = cred.Uid, cred.Gid, cred.Pid
		p.stranger = strangerAt(int(fd), cred.Pid)
		p.Groups, fault = peerGroups(fd)
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, fmt.Errorf("credentials of the peer: %w", err)
	}
	return p, nil
}

// peerGroups returns the supplementary groups of the peer. The kernel answers
// ERANGE and the size it needs when the buffer is too small.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno != unix.ERANGE || int(size/4) <= len(groups):
			return nil, errno
		}
		groups = make([]uint32, size/4)
	}
}
