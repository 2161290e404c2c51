package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/applier"
)

// A slowApplier takes its time.
type slowApplier time.Duration

func (slowApplier) Plan(context.Context, applier.Request) (applier.Plan, error) {
	return applier.Plan{}, nil
}

func (slowApplier) Warm(context.Context, applier.OS) error { return nil }

func (d slowApplier) Apply(ctx context.Context, r applier.Request, _ func(applier.Item)) (applier.Result, error) {
	select {
	case <-time.After(time.Duration(d)):
		return applier.Result{Generation: r.Generation, Status: applier.OK}, nil
	case <-ctx.Done():
		return applier.Result{}, ctx.Err()
	}
}

// Who waits for events or for an apply may do so for longer than a request may
// take to be sent and answered.
func TestLongAnswers(t *testing.T) {
	const limit = 50 * time.Millisecond
	tests := []struct {
		name, sent string
		want       string // what a line of the answer holds, after more than limit
		times      int    // how many such lines
	}{
		{"events", "GET /events HTTP/1.1\r\nHost: x\r\n\r\n", ":\n", 2 * int(limit/(5*time.Millisecond))},
		{"apply", "POST /tx/apply?wait=30s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", `"status":"ok"`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			s.opt.Applier, s.opt.Heartbeat = slowApplier(4*limit), 5*time.Millisecond
			s.patience.read, s.patience.write = limit, limit
			l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(ctx, l) }()
			c, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.sent); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(c)
			for seen := 0; seen < tt.times; {
				line, err := r.ReadString('\n')
				if strings.Contains(line, tt.want) {
					seen++
				}
				if err != nil && seen < tt.times {
					t.Fatalf("after %d of %d lines with %q: %q, %v", seen, tt.times, tt.want, line, err)
				}
				if strings.HasPrefix(line, "Content-Length:") { // the body ends without a line
					_, _ = r.ReadString('\n')
					body := make([]byte, 4096)
					n, err := r.Read(body)
					if !strings.Contains(string(body[:n]), tt.want) {
						t.Fatalf("body %s, %v, want %q in it", body[:n], err, tt.want)
					}
					break
				}
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}
