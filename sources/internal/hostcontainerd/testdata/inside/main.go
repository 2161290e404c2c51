// Command inside is the program of the containers in tests.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	words := os.Args[1:]
	switch words[0] {
	case "exit":
		code, _ := strconv.Atoi(words[1])
		os.Exit(code)
	case "copy": // input to output
		n, err := io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, n, err)
	case "signals": // says which one comes
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGINT)
		fmt.Println("waiting")
		for s := range caught {
			w, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ)
			if err != nil {
				w = &unix.Winsize{}
			}
			fmt.Println(s, w.Row, w.Col)
			if s == syscall.SIGINT {
				os.Exit(130)
			}
		}
	case "kill": // the processes of the host that have the name, of the unit
		os.Exit(kill(words[1], words[2]))
	case "flood": // more output than anybody wants
		for block := make([]byte, 64<<10); ; {
			if _, err := os.Stdout.Write(block); err != nil {
				os.Exit(1)
			}
		}
	case "report":
		report()
	case "wait":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		fmt.Println("ready")
		<-ended
		fmt.Println("told to end")
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Hour)
	case "limits":
		limits(words[1])
	case "eat":
		eat()
	}
}

// limits writes what the group of the unit may take whenever that changes.
func limits(unit string) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	for last := ""; ; {
		if now := limitsOf(unit); now != last {
			fmt.Println(now)
			last = now
		}
		select {
		case <-ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func limitsOf(unit string) string {
	line := "limits"
	found, _ := filepath.Glob("/sys/fs/cgroup/*/*/" + unit)
	for _, group := range found {
		for _, name := range []string{"memory.max", "memory.swap.max", "cpu.max", "pids.max"} {
			value, _ := os.ReadFile(filepath.Join(group, name))
			line += " " + name + "=" + strings.TrimSpace(string(value))
		}
	}
	return line
}

// eat takes memory for as long as it is given some.
func eat() {
	fmt.Println("eating")
	for kept := [][]byte{}; ; kept = append(kept, make([]byte, 1<<20)) {
		if len(kept) > 0 {
			last := kept[len(kept)-1]
			for i := 0; i < len(last); i += 4096 {
				last[i] = 1
			}
		}
	}
}

// report writes what the container is like into its directory.
func report() {
	status, _ := os.ReadFile("/proc/self/status")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	found := map[string]any{"env": os.Environ(), "args": os.Args}
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":\t"); ok {
			found[name] = value
		}
	}
	points := map[string]string{}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 5 {
			points[fields[4]], _, _ = strings.Cut(fields[5], ",")
		}
	}
	found["mounts"] = points
	data, _ := os.ReadFile("/.bulkhead/host-containers/current/user-data")
	found["user-data"] = len(data)
	pids, _ := os.ReadDir("/proc/1/task")
	found["init"] = len(pids) > 0
	text, _ := json.Marshal(found)
	dir := "/.bulkhead/" + words(os.Args) + "/current"
	if err := os.WriteFile(dir+"/report", text, 0o600); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("reported")
}

func words(args []string) string {
	if len(args) > 2 {
		return args[2]
	}
	return "host-containers"
}

// kill kills the processes called name in control groups with unit in their name,
// and returns whether there were none.
func kill(name, unit string) int {
	found := 1
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		comm, _ := os.ReadFile(dir + "/comm")
		group, _ := os.ReadFile(dir + "/cgroup")
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || strings.TrimSpace(string(comm)) != name || !strings.Contains(string(group), unit) {
			continue
		}
		found = 0
		fmt.Println(syscall.Kill(pid, syscall.SIGKILL))
	}
	return found
}
