// Command pause holds the namespaces of a pod. It does nothing until it is told
// to end, but for collecting the processes that lost their parents in a pod that
// shares its processes.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	wait(ended, children)
}

func wait(ended, children <-chan os.Signal) {
	for {
		select {
		case <-ended:
			return
		case <-children:
			collect()
		}
	}
}

// collect collects all processes that have ended: many ends can be one signal.
func collect() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
