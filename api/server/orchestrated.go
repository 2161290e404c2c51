package server

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/problem"
)

// How the control groups are called that the containers of orchestrators are in.
var (
	groupNames    = []string{"docker", "ecs", "k8s.io", "moby"}
	groupPrefixes = []string{"kubepods", "ecstasks", "docker-", "cri-containerd-", "crio-", "libpod"}
)

// orchestrated returns the group of an orchestrator in the text of a file
// /proc/PID/cgroup, or "".
func orchestrated(text string) string {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		_, group, _ := strings.Cut(rest, ":")
		for part := range strings.SplitSeq(group, "/") {
			known := func(prefix string) bool { return strings.HasPrefix(part, prefix) }
			if slices.Contains(groupNames, part) || slices.ContainsFunc(groupPrefixes, known) {
				return group
			}
		}
	}
	return ""
}

// inContainer reports whether the daemon itself is in a container of an
// orchestrator, as a sandbox may be: those beside it are no strangers then.
var inContainer = sync.OnceValue(func() bool {
	text, err := os.ReadFile("/proc/self/cgroup")
	return err == nil && orchestrated(string(text)) != ""
})

// strangerAt returns why the process at the other end of the socket fd, which the
// kernel calls pid, is not served, or "". A container of an orchestrator that has
// the socket is nobody, whoever it runs as: what it may do is not up to whoever
// may write files of the node.
func strangerAt(fd int, pid int32) string {
	if pid == 0 || inContainer() { // it is outside of where the daemon sees processes
		return ""
	}
	group, err := groupOf(fd, pid)
	switch {
	case err != nil:
		return fmt.Sprintf("it cannot be told where process %d is: %v", pid, err)
	case group != "":
		return "process " + fmt.Sprint(pid) + " is in a container of an orchestrator: " + shorten(group)
	}
	return ""
}

// errGone says that a peer has ended. Its number may be that of another process.
var errGone = errors.New("it has ended")

// groupOf returns the group of an orchestrator that the peer of fd is in, or "".
// The kernel keeps the number of a process from being given to another for as
// long as that runs: what was read is about the peer if it runs afterwards.
func groupOf(fd int, pid int32) (string, error) {
	peer, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 6.5
		peer, err = unix.PidfdOpen(int(pid), 0)
	}
	if err != nil {
		return "", errGone
	}
	defer unix.Close(peer)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if signal := unix.PidfdSendSignal(peer, 0, nil, 0); errors.Is(signal, unix.ESRCH) {
		return "", errGone
	}
	if err != nil {
		return "", err
	}
	return orchestrated(string(text)), nil
}

// turnAwayStranger refuses what a stranger asks for, and has the attempt recorded,
// but not so often that it would push other things out of the record.
func (s *Server) turnAwayStranger(c *call) error {
	c.audited = s.strangers.AllowN(s.opt.Now(), 1)
	c.entry.Message = c.peer.stranger
	return problem.New(problem.OrchestratedCaller, "%s", c.peer.stranger).
		WithHint("the sockets are for programs of the node and for host containers; use the remote API with a certificate")
}
