// Command service is the program of the containers in tests, and who talks to it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	words := os.Args[1:]
	switch words[0] {
	case "serve":
		serve(words[1])
	case "get":
		get(words[1])
	case "exit":
		code, _ := strconv.Atoi(words[1])
		os.Exit(code)
	case "has":
		if os.Getenv(words[1]) != words[2] {
			fmt.Println("it has", len(os.Getenv(words[1])), "bytes")
			os.Exit(4)
		}
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Hour)
	case "eat":
		eat()
	}
}

// serve answers at port, until it is told to end: /report with what it is like,
// and /healthz well, unless it was asked for /break.
func serve(port string) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	var broken atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/break", func(http.ResponseWriter, *http.Request) { broken.Store(true) })
	mux.HandleFunc("/mend", func(http.ResponseWriter, *http.Request) { broken.Store(false) })
	mux.HandleFunc("/report", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(report()) })
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) {
		data, _ := os.ReadFile("/data/count")
		n, _ := strconv.Atoi(string(data))
		if err := os.WriteFile("/data/count", []byte(strconv.Itoa(n+1)), 0o600); err != nil {
			fmt.Fprint(w, err)
			return
		}
		fmt.Fprint(w, n+1)
	})
	go func() {
		fmt.Println("serves")
		fmt.Println(http.ListenAndServe(":"+port, mux))
		os.Exit(1)
	}()
	<-ended
	fmt.Println("told to end")
}

// report says what the container is like.
func report() map[string]string {
	found := map[string]string{}
	for name, file := range map[string]string{
		"hosts": "/etc/hosts", "hostname": "/etc/hostname", "secret-file": "/run/secrets/key", "users": "/proc/self/uid_map", "release": "/etc/os-release",
	} {
		data, _ := os.ReadFile(file)
		found[name] = strings.Join(strings.Fields(string(data)), " ")
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":\t"); ok {
			found[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	found["plain"], found["secret"] = os.Getenv("PLAIN"), os.Getenv("SECRET")
	found["host"], _ = os.Hostname()
	found["write"] = outcome(os.WriteFile("/new", nil, 0o600))
	found["temporary"] = outcome(os.WriteFile("/tmp/new", nil, 0o600))
	devices, _ := os.ReadDir("/dev")
	found["devices"] = strconv.Itoa(len(devices))
	return found
}

func outcome(err error) string {
	if err != nil {
		return "refused"
	}
	return "done"
}

func get(url string) {
	resp, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
	if resp.StatusCode >= 400 {
		os.Exit(1)
	}
}

// eat takes memory for as long as it is given some.
func eat() {
	var kept [][]byte
	for {
		more := make([]byte, 1<<20)
		for i := 0; i < len(more); i += 4096 {
			more[i] = 1
		}
		kept = append(kept, more)
	}
}
