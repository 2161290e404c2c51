package exec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// limit is how long anything may take, on a machine that does much else.
const limit = time.Minute

// A fake is a process whose program is a function.
type fake struct {
	in, inWriter   pipe
	out, outWriter pipe

	sizes  chan Size
	status chan int
	closed chan struct{}
	close  func()
}

type pipe = interface {
	io.ReadCloser
	io.WriteCloser
}

// A half is one end of a pipe.
type half struct {
	*io.PipeReader
	*io.PipeWriter
}

func (h half) Close() error {
	if h.PipeReader != nil {
		return h.PipeReader.Close()
	}
	return h.PipeWriter.Close()
}

// start runs program with input, output and the sizes of its terminal.
func newFake(program func(f *fake) int) *fake {
	f := &fake{sizes: make(chan Size, 8), status: make(chan int, 1), closed: make(chan struct{})}
	ir, iw := io.Pipe()
	or, ow := io.Pipe()
	f.in, f.inWriter, f.out, f.outWriter = half{PipeReader: ir}, half{PipeWriter: iw}, half{PipeReader: or}, half{PipeWriter: ow}
	f.close = sync.OnceFunc(func() {
		close(f.closed)
		ir.CloseWithError(io.ErrClosedPipe)
		or.CloseWithError(io.ErrClosedPipe)
	})
	go func() {
		f.status <- program(f)
		ow.Close()
	}()
	return f
}

func (f *fake) Read(p []byte) (int, error)  { return f.out.Read(p) }
func (f *fake) Write(p []byte) (int, error) { return f.inWriter.Write(p) }
func (f *fake) CloseInput() error           { return f.inWriter.Close() }
func (f *fake) Resize(s Size) error         { f.sizes <- s; return nil }
func (f *fake) Wait() (int, error)          { return <-f.status, nil }
func (f *fake) Close() error                { f.close(); return nil }

// A lab is a server whose sessions run program.
type lab struct {
	t       *testing.T
	url     string
	results chan Result
	started chan *fake
	cancel  context.CancelFunc
}

func newLab(t *testing.T, program func(*fake) int) *lab {
	t.Helper()
	l := &lab{t: t, results: make(chan Result, 8), started: make(chan *fake, 8)}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	var sessions sync.WaitGroup
	sessions.Add(1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.Add(1)
		defer sessions.Done()
		ws, err := Accept(w, r)
		if err != nil {
			return
		}
		if r.URL.Query().Has("hasty") {
			ws.times = Times{Ping: 10 * time.Millisecond, Silent: 200 * time.Millisecond, First: 200 * time.Millisecond}
		}
		l.results <- ws.Serve(ctx, func(_ context.Context, i Initialize) (Process, error) {
			if i.Target == "none" {
				return nil, errors.New("container none: there is no such container")
			}
			f := newFake(program)
			l.started <- f
			return f, nil
		}, func(Initialize) {})
	}))
	l.url = s.URL
	t.Cleanup(func() {
		cancel()
		sessions.Done()
		sessions.Wait()
		s.Close()
	})
	return l
}

// dial connects as any client does.
func (l *lab) dial(query string) *websocket.Conn {
	l.t.Helper()
	conn, _, err := websocket.Dial(l.t.Context(), "ws"+strings.TrimPrefix(l.url, "http")+"/exec"+query, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// RoundTrip sends requests of Run to the lab.
func (l *lab) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(l.url, "http://")
	return http.DefaultTransport.RoundTrip(r)
}

// golden are the messages of the protocol as Bottlerocket's programs write them.
const (
	goldenInitialize = `{"Initialize":{"command":[{"Unix":[47,105,110]},{"Unix":[255]}],"target":"admin","tty":null}}`
	goldenTerminal   = `{"Initialize":{"command":[{"Unix":[115,104]}],"target":"admin","tty":{"size":{"rows":24,"cols":80}}}}`
	goldenNoSize     = `{"Initialize":{"command":[{"Unix":[115,104]}],"target":"admin","tty":{"size":null}}}`
	goldenComplete   = `"ContentComplete"`
	goldenWinch      = `{"Winch":{"rows":50,"cols":132}}`
	goldenCapacity   = `{"Capacity":{"max_messages_outstanding":1024,"messages_written":128}}`
)

func TestMessages(t *testing.T) {
	size := &Size{24, 80}
	tests := []struct {
		name, text string
		want       message
		other      string // a text that means the same
	}{
		{"initialize", goldenInitialize, message{initialize: &Initialize{Command: []string{"/in", "\xff"}, Target: "admin"}}, ""},
		{"on a terminal", goldenTerminal, message{initialize: &Initialize{Command: []string{"sh"}, Target: "admin", TTY: &Terminal{size}}}, `{"Initialize":{"command":["sh"],"target":"admin","tty":{"size":{"rows":24,"cols":80}}}}`},
		{"of any size", goldenNoSize, message{initialize: &Initialize{Command: []string{"sh"}, Target: "admin", TTY: &Terminal{}}}, ""},
		{"complete", goldenComplete, message{complete: true}, ""},
		{"winch", goldenWinch, message{winch: &Size{50, 132}}, ""},
		{"capacity", goldenCapacity, message{capacity: &capacity{1024, 128}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, text := range []string{tt.text, tt.other} {
				if text == "" {
					continue
				}
				got, err := parse([]byte(text))
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(message{})); diff != "" || err != nil {
					t.Errorf("parse(%s): %v (-want +got):\n%s", text, err, diff)
				}
			}
			var want, got any
			if err := errors.Join(json.Unmarshal([]byte(tt.text), &want), json.Unmarshal(tt.want.text(), &got)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{``, `{`, `"Other"`, `{}`, `{"Other":1}`, `[]`, `1`, `{"Winch":{"rows":1,"cols":2},"Capacity":{}}`, `{"Initialize":{"command":[{"Windows":[1]}],"target":"x","tty":null}}`, `{"Initialize":{"command":[{"Unix":[256]}],"target":"x","tty":null}}`} {
		if m, err := parse([]byte(text)); err == nil {
			t.Errorf("parse(%s) = %+v, want an error", text, m)
		}
	}
}

// What is accepted is written as something that means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{goldenInitialize, goldenTerminal, goldenNoSize, goldenComplete, goldenWinch, goldenCapacity, `{"Initialize":{"command":["a"],"target":"","tty":null}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parse([]byte(s))
		if err != nil {
			return
		}
		again, err := parse(m.text())
		if diff := cmp.Diff(m, again, cmp.AllowUnexported(message{})); diff != "" || err != nil {
			t.Errorf("parse(%q) is written as %s: %v (-first +second):\n%s", s, m.text(), err, diff)
		}
	})
}

// echo gives back its input, and ends with status 3.
func echo(f *fake) int {
	_, _ = io.Copy(f.outWriter, f.in)
	return 3
}

// Run and Serve understand each other: input of any length arrives, and comes back.
func TestRun(t *testing.T) {
	l := newLab(t, echo)
	for name, length := range map[string]int{"nothing": 0, "little": 5, "more than the window": 3 * Window * MaxOutput / 2} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("x", length)
			var out bytes.Buffer
			status, err := Run(t.Context(), l, "/exec", Options{Initialize: Initialize{Command: []string{"echo"}, Target: "one"}, Stdin: strings.NewReader(text), Stdout: &out})
			if status != 3 || err != nil || out.String() != text {
				t.Errorf("Run: %d, %v, %d bytes, want 3 and %d bytes", status, err, out.Len(), length)
			}
			if r := <-l.results; !r.Exited || r.Status != 3 || r.Err != nil {
				t.Errorf("Serve: %+v, want status 3", r)
			}
		})
	}
	_, err := Run(t.Context(), l, "/exec", Options{Initialize: Initialize{Command: []string{"echo"}, Target: "none"}, Stdout: io.Discard})
	if lost, ok := errors.AsType[*LostError](err); !ok || lost.Reason != "container none: there is no such container" {
		t.Errorf("Run in no container: %v, want that there is none", err)
	}
}

// A terminal's size is told, and a caller that is interrupted ends the program.
func TestInterrupted(t *testing.T) {
	l := newLab(t, func(f *fake) int { <-f.closed; return 0 })
	resized := make(chan Size, 1)
	resized <- Size{1, 2}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	silence, _ := io.Pipe()
	go func() {
		_, err := Run(ctx, l, "/exec", Options{Initialize: Initialize{Command: []string{"x"}, TTY: &Terminal{}}, Stdin: silence, Stdout: io.Discard, Resized: resized})
		done <- err
	}()
	f := take(t, l.started)
	if got := take(t, f.sizes); got != (Size{1, 2}) {
		t.Errorf("size %v, want 1 by 2", got)
	}
	cancel()
	take(t, f.closed)
	if err := take(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, want that it was cancelled", err)
	}
	if r := take(t, l.results); r.Exited || r.Err == nil {
		t.Errorf("Serve: %+v, want that the caller has left", r)
	}
}

func take[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(limit):
		t.Fatal("nothing comes")
		panic("not reached")
	}
}

// What ends a session, and how.
func TestCloses(t *testing.T) {
	const begin = `{"Initialize":{"command":["x"],"target":"one","tty":null}}`
	binary := func(n int) string { return "\x00" + strings.Repeat("x", n) }
	tests := []struct {
		name   string
		send   []string // text, or binary after a zero byte
		code   websocket.StatusCode
		reason string
	}{
		{"data first", []string{binary(1)}, 1008, "data before Initialize"},
		{"the end first", []string{goldenComplete}, 1008, "ContentComplete before Initialize"},
		{"a size first", []string{goldenWinch, begin, begin}, 1008, "a second Initialize"},
		{"noise", []string{"noise"}, 1007, "invalid message: "},
		{"noise later", []string{begin, "noise"}, 1007, "invalid message: "},
		{"capacity", []string{begin, goldenCapacity}, 1008, "the message is not for this side"},
		{"too long", []string{begin, binary(MaxMessage + 1)}, 1009, ""},
		{"twice", []string{begin, begin}, 1008, "a second Initialize"},
		{"no command", []string{`{"Initialize":{"command":[""],"target":"one","tty":null}}`}, 1008, "the command is empty"},
		{"no container", []string{`{"Initialize":{"command":["x"],"target":"none","tty":null}}`}, 1011, "container none: there is no such container"},
		{"after the end", []string{begin, goldenComplete, binary(1), goldenComplete, begin}, 1008, "a second Initialize"},
	}
	l := newLab(t, func(f *fake) int { <-f.closed; return 0 })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn := l.dial("")
			for _, m := range tt.send {
				kind := websocket.MessageText
				if rest, ok := strings.CutPrefix(m, "\x00"); ok {
					kind, m = websocket.MessageBinary, rest
				}
				if err := conn.Write(t.Context(), kind, []byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			expectClose(t, conn, tt.code, tt.reason)
			take(t, l.results)
		})
	}
}

// expectClose reads until the end, which is to be code with reason.
func expectClose(t *testing.T, conn *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		_, _, err := conn.Read(ctx)
		if err == nil {
			continue
		}
		e, ok := errors.AsType[websocket.CloseError](err)
		if !ok || e.Code != code || !strings.HasPrefix(e.Reason, reason) {
			t.Errorf("the session ends with %v, want %d %q", err, code, reason)
		}
		return
	}
}

// A program that takes no input: what is sent beyond the window ends the session,
// and no more than the window is kept.
func TestFlood(t *testing.T) {
	l := newLab(t, func(f *fake) int { <-f.closed; return 0 })
	conn := l.dial("")
	send := func(kind websocket.MessageType, text string) error {
		return conn.Write(t.Context(), kind, []byte(text))
	}
	if err := send(websocket.MessageText, `{"Initialize":{"command":["x"],"target":"one","tty":null}}`); err != nil {
		t.Fatal(err)
	}
	go func() {
		for range Window + 2 {
			if send(websocket.MessageBinary, "x") != nil {
				return
			}
		}
	}()
	expectClose(t, conn, 1009, "write buffer full; obey capacity updates")
	take(t, take(t, l.started).closed)
}

// Input in long messages waits in the connection and not in memory.
func TestBackPressure(t *testing.T) {
	release := make(chan struct{})
	l := newLab(t, func(f *fake) int {
		<-release
		n, _ := io.Copy(io.Discard, f.in)
		return int(n >> 20)
	})
	conn := l.dial("")
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"Initialize":{"command":["x"],"target":"one","tty":null}}`)); err != nil {
		t.Fatal(err)
	}
	const messages = 256 // of 64 KiB: four times as much as is kept
	sent := make(chan int, messages)
	ended := make(chan error, 1)
	go func() {
		block := make([]byte, MaxMessage)
		for i := range messages {
			if err := conn.Write(t.Context(), websocket.MessageBinary, block); err != nil {
				ended <- err
				return
			}
			sent <- i
		}
		ended <- conn.Write(t.Context(), websocket.MessageText, []byte(goldenComplete))
	}()
	go func() {
		defer close(release)
		for last := -1; ; {
			select {
			case last = <-sent:
			case <-time.After(500 * time.Millisecond): // all buffers are full
				if last >= messages-1 {
					t.Error("all input is taken, although nobody reads it")
				}
				return
			}
		}
	}()
	expectClose(t, conn, 1000, "16")
	if err := take(t, ended); err != nil {
		t.Errorf("send: %v", err)
	}
}

// A caller that says nothing is gone, before and after he has begun something.
func TestSilent(t *testing.T) {
	l := newLab(t, func(f *fake) int { <-f.closed; return 0 })
	raw := func(hello string) {
		t.Helper()
		c, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = io.WriteString(c, "GET /exec?hasty HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"+hello)
		if err != nil {
			t.Fatal(err)
		}
		if r := take(t, l.results); r.Exited || r.Err == nil {
			t.Errorf("Serve with a silent caller: %+v, want that he has left", r)
		}
	}
	raw("")
	raw(masked(`{"Initialize":{"command":["x"],"target":"one","tty":null}}`))
	take(t, take(t, l.started).closed)
}

// masked returns a text frame, masked with zeroes.
func masked(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

// The end of the daemon ends sessions, which is said.
func TestEnding(t *testing.T) {
	l := newLab(t, func(f *fake) int { <-f.closed; return 0 })
	conn := l.dial("")
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"Initialize":{"command":["x"],"target":"one","tty":null}}`)); err != nil {
		t.Fatal(err)
	}
	f := take(t, l.started)
	l.cancel()
	expectClose(t, conn, 1001, "the API of the node is ending")
	take(t, f.closed)
}

// Who waits for room is known to wait, until there is some.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(10)
		r.take(t.Context(), 8)
		if r.crowded() {
			t.Error("crowded with room for 2")
		}
		got := make(chan bool)
		go func() { r.take(t.Context(), 5); got <- true }()
		synctest.Wait()
		if !r.crowded() {
			t.Error("not crowded while 5 wait for the room of 2")
		}
		r.give(1)
		synctest.Wait()
		r.give(4)
		<-got
		if r.crowded() {
			t.Error("crowded after there was room")
		}
	})
}
