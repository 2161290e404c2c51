package updater_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/updater"
)

// TestMain has the test binary hold a lock for the test that kills it.
func TestMain(m *testing.M) {
	if path := os.Getenv("BULKHEAD_TEST_LOCK"); path != "" {
		if _, err := updater.TakeLock(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		select {}
	}
	os.Exit(m.Run())
}

// listen answers one request on the socket with f.
func listen(t *testing.T, f func(net.Conn)) *updater.Client {
	t.Helper()
	at := updater.Places{Socket: filepath.Join(t.TempDir(), "updater.sock")}
	l, err := net.Listen("unix", at.Socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		f(conn)
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return updater.New(at)
}

func TestAsk(t *testing.T) {
	bundle := make([]byte, 1<<20+17)
	for i := range bundle {
		bundle[i] = byte(rand.IntN(256))
	}
	want := updater.Request{
		Action: updater.Apply, Actor: "root", Version: "1.2.3", IgnoreWaves: true, Reboot: true, BundleSize: int64(len(bundle)),
	}
	c := listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		line, err := r.ReadBytes('\n')
		if err != nil {
			t.Error(err)
		}
		var got updater.Request
		if err := json.Unmarshal(line, &got); err != nil {
			t.Errorf("request %s: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		sum := sha256.New()
		if _, err := io.CopyN(sum, r, got.BundleSize); err != nil {
			t.Errorf("read the bundle: %v", err)
		}
		if whole := sha256.Sum256(bundle); !bytes.Equal(sum.Sum(nil), whole[:]) {
			t.Error("the bundle came with other bytes")
		}
		fmt.Fprintln(conn, `{"begun":true}`)
	})
	got, err := c.Ask(t.Context(), want, io.MultiReader(bytes.NewReader(bundle), strings.NewReader("what does not belong to it")))
	if err != nil || !got.Begun {
		t.Errorf("Ask = %+v, %v, want it begun", got, err)
	}
}

// answer reads a request and answers it with a line.
func answer(line string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadBytes('\n')
		fmt.Fprintln(c, line)
	}
}

// endless gives bytes for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAnswers(t *testing.T) {
	large := updater.Request{Action: updater.Prepare, BundleSize: 1 << 40}
	tests := []struct {
		name    string
		request updater.Request
		bundle  io.Reader
		serve   func(net.Conn)
		want    updater.Answer
		err     string
	}{
		{
			name: "refused", request: updater.Request{Action: updater.Activate},
			serve: answer(`{"begun":false,"code":"not-staged","detail":"nothing was prepared","hint":"prepare"}`),
			want:  updater.Answer{Code: updater.NotStaged, Detail: "nothing was prepared", Hint: "prepare"},
		},
		{
			name: "refused before the bundle is through", request: large, bundle: endless{},
			serve: func(c net.Conn) {
				if _, err := bufio.NewReader(c).ReadBytes('\n'); err != nil {
					return
				}
				fmt.Fprintln(c, `{"begun":false,"code":"busy"}`)
				_, _ = io.CopyN(io.Discard, c, 1<<20) // and then reads no more
			},
			want: updater.Answer{Code: updater.Busy},
		},
		{
			name: "the bundle ends early", request: updater.Request{Action: updater.Prepare, BundleSize: 10}, bundle: strings.NewReader("short"),
			serve: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
			err:   "ask the updater for prepare: read the bundle: EOF",
		},
		{
			name: "went away", request: updater.Request{Action: updater.Refresh},
			serve: func(c net.Conn) { _, _ = bufio.NewReader(c).ReadBytes('\n') },
			err:   "ask the updater for refresh: the updater went away without an answer",
		},
		{
			name: "no JSON", request: updater.Request{Action: updater.Refresh},
			serve: answer("hello"),
			err:   "ask the updater for refresh: read the answer: invalid character 'h' looking for beginning of value",
		},
		{
			name: "talks without end", request: updater.Request{Action: updater.Refresh},
			serve: func(c net.Conn) {
				_, _ = bufio.NewReader(c).ReadBytes('\n')
				_, _ = io.Copy(c, endless{})
			},
			err: "ask the updater for refresh: the updater went away without an answer",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := listen(t, tt.serve).Ask(t.Context(), tt.request, tt.bundle)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.err, text); diff != "" {
				t.Errorf("Ask(%+v): error (-want +got):\n%s", tt.request, diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Ask(%+v) (-want +got):\n%s", tt.request, diff)
			}
		})
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := listen(t, func(conn net.Conn) {
		_, _ = bufio.NewReader(conn).ReadBytes('\n')
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	})
	if _, err := c.Ask(ctx, updater.Request{Action: updater.Refresh}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Ask: %v, want it to end with its context", err)
	}
	nobody := updater.New(updater.Places{Socket: filepath.Join(t.TempDir(), "none")})
	if _, err := nobody.Ask(t.Context(), updater.Request{Action: updater.Refresh}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Ask without an updater: %v, want fs.ErrNotExist", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestStatus(t *testing.T) {
	at := updater.Places{Dir: t.TempDir()}
	c := updater.New(at)
	if _, err := c.Status(); !errors.Is(err, updater.ErrNoStatus) {
		t.Errorf("Status before anything: %v, want ErrNoStatus", err)
	}
	file := filepath.Join(at.Dir, updater.StatusFile)
	write(t, file, `{"update_state":"Available","chosen_update":{"arch":"x86_64","version":"1.2.0","variant":"qemu-dev"},"of a later version":1}`)
	want := updater.Status{
		State: updater.Available, AvailableUpdates: []string{},
		ChosenUpdate: &updater.Image{Arch: "x86_64", Version: "1.2.0", Variant: "qemu-dev"},
	}
	got, err := c.Status()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Status: %v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"{", strings.Repeat(" ", 1<<20) + "{}"} {
		write(t, file, text)
		if _, err := c.Status(); err == nil || errors.Is(err, updater.ErrNoStatus) {
			t.Errorf("Status of a file with %d bytes: %v, want a fault", len(text), err)
		}
	}
}

func TestHistory(t *testing.T) {
	at := updater.Places{Dir: t.TempDir()}
	c := updater.New(at)
	if got, err := c.History(0); err != nil || len(got) != 0 {
		t.Errorf("History before anything = %v, %v", got, err)
	}
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, `{"time":"2026-11-21T10:00:00Z","kind":"apply","version":"1.0.%d","ok":true}`+"\n", i)
	}
	text.WriteString(`{"time":"2026-11-21T1`) // the power went
	write(t, filepath.Join(at.Dir, updater.HistoryFile), text.String())
	got, err := c.History(2)
	if err != nil || len(got) != 2 || got[0].Version != "1.0.19999" || got[1].Version != "1.0.19998" {
		t.Errorf("History(2) = %+v, %v, want the last two, the newest first", got, err)
	}
	got, err = c.History(0)
	if err != nil || len(got) < 10_000 || len(got) >= 20_000 {
		t.Errorf("History(0) has %d events, %v, want those in the last megabyte", len(got), err)
	}
}

// A lock is seen by others, and ends with the process that holds it.
func TestLock(t *testing.T) {
	at := updater.Places{Lock: filepath.Join(t.TempDir(), "lock")}
	c := updater.New(at)
	busy := func(want bool) {
		t.Helper()
		if got, err := c.Busy(); got != want || err != nil {
			t.Errorf("Busy() = %v, %v, want %v", got, err, want)
		}
	}
	busy(false)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BULKHEAD_TEST_LOCK="+at.Lock)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v, want locked", line, err)
	}
	busy(true)
	if _, err := updater.TakeLock(at.Lock); !errors.Is(err, updater.ErrBusy) {
		t.Errorf("TakeLock of a lock that is held: %v, want ErrBusy", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	busy(false)
	release, err := updater.TakeLock(at.Lock)
	if err != nil {
		t.Fatal(err)
	}
	busy(true)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	busy(false)
}

func TestWatch(t *testing.T) {
	at := updater.Places{Dir: t.TempDir()}
	c := updater.New(at)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan string, 16)
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(ctx, func() {
			s, _ := c.Status()
			seen <- string(s.State)
		})
	}()
	next := func(want string) {
		t.Helper()
		for deadline := time.After(30 * time.Second); ; {
			select {
			case got := <-seen:
				if got == want {
					return
				}
			case <-deadline:
				t.Fatalf("state %q was not seen within 30 s", want)
			}
		}
	}
	next("")
	for _, state := range []string{"Idle", "Available", "Staged"} {
		write(t, filepath.Join(at.Dir, updater.StatusFile), fmt.Sprintf(`{"update_state":%q}`, state))
		next(state)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch at the end: %v, want nil", err)
	}
	if err := updater.New(updater.Places{Dir: filepath.Join(at.Dir, "none")}).Watch(t.Context(), func() {}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Watch of no directory: %v, want fs.ErrNotExist", err)
	}
}
