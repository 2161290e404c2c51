package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Children are collected until the end is asked for.
func TestWait(t *testing.T) {
	var pids []int
	for range 3 {
		cmd := exec.Command("true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	ended, children := make(chan os.Signal, 1), make(chan os.Signal, 1)
	done := make(chan struct{})
	go func() {
		wait(ended, children)
		close(done)
	}()
	limit := time.Now().Add(time.Minute)
	for gone := 0; gone < len(pids); {
		if time.Now().After(limit) {
			t.Fatalf("%d of %d children are collected", gone, len(pids))
		}
		select {
		case children <- syscall.SIGCHLD:
		default:
		}
		gone = 0
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == syscall.ESRCH {
				gone++
			}
		}
		time.Sleep(time.Millisecond)
	}
	ended <- syscall.SIGTERM
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("wait goes on after it was told to end")
	}
}
