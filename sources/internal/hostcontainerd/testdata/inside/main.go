// Command inside is the program of the containers in tests.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	words := os.Args[1:]
	switch words[0] {
	case "exit":
		code, _ := strconv.Atoi(words[1])
		os.Exit(code)
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
