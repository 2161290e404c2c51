package boottest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/api/client"
)

// grace is how long a node whose test failed may take to tell its journal.
const grace = 20 * time.Second

// journal returns the journal of this boot, or nothing if it cannot be had.
func (n *Node) journal() string {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	lines, err := n.logs(ctx, client.LogsRequest{Boot: "0"})
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s[%d] %s\n", l.Time.Format("15:04:05.000"), l.Identifier, l.PID, l.Message)
	}
	if err != nil && b.Len() > 0 {
		fmt.Fprintf(&b, "the rest is missing: %v\n", err)
	}
	return b.String()
}

// Logs returns lines of the journal.
func (n *Node) Logs(r client.LogsRequest) []client.LogLine {
	n.t.Helper()
	ctx, cancel := n.patience()
	defer cancel()
	lines, err := n.logs(ctx, r)
	if err != nil {
		n.t.Fatalf("Logs(%+v): %v", r, err)
	}
	return lines
}

func (n *Node) logs(ctx context.Context, r client.LogsRequest) ([]client.LogLine, error) {
	s, err := n.API.Logs(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var lines []client.LogLine
	for {
		line, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}

// KernelSaid returns the first line of this boot's kernel that contains text,
// whatever the case of its letters.
func (n *Node) KernelSaid(text string) (string, bool) {
	n.t.Helper()
	for _, l := range n.Logs(client.LogsRequest{Boot: "0", Kernel: true}) {
		if strings.Contains(strings.ToLower(l.Message), strings.ToLower(text)) {
			return l.Message, true
		}
	}
	return "", false
}
