package kubeclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/websocket"
)

// Logs returns what the first container of a pod wrote.
func (c *Client) Logs(ctx context.Context, namespace, pod string) (string, error) {
	text, err := c.Do(ctx, Request{Path: podPath(namespace, pod) + "/log"})
	return string(text), err
}

func podPath(namespace, pod string) string {
	return "/api/v1/namespaces/" + namespace + "/pods/" + pod
}

// Channels of a connection to a program in a container.
const (
	standardOutput = 1
	standardError  = 2
	outcome        = 3 // how it ended, as JSON
)

// Exec runs a program in the first container of a pod and returns what it wrote
// to standard output.
func (c *Client) Exec(ctx context.Context, namespace, pod string, words ...string) (string, error) {
	at, err := url.Parse(strings.Replace(c.server, "https://", "wss://", 1) + podPath(namespace, pod) + "/exec")
	if err != nil {
		return "", err
	}
	at.RawQuery = url.Values{"command": words, "stdout": {"true"}, "stderr": {"true"}}.Encode()
	config, err := websocket.NewConfig(at.String(), c.server)
	if err != nil {
		return "", err
	}
	// A connection that is taken over is one of HTTP/1.1.
	config.TlsConfig, config.Protocol = c.tls.Clone(), []string{"v5.channel.k8s.io"}
	config.TlsConfig.NextProtos = []string{"http/1.1"}
	conn, err := config.DialContext(ctx)
	if err != nil {
		return "", fmt.Errorf("exec in %s: %w", pod, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	out, err := collect(conn)
	if err != nil {
		return out, fmt.Errorf("exec %s in %s: %w", strings.Join(words, " "), pod, errors.Join(err, ctx.Err()))
	}
	return out, nil
}

// collect reads messages until the one that says how the program ended.
func collect(conn *websocket.Conn) (string, error) {
	var out, complaints bytes.Buffer
	for {
		var message []byte
		err := websocket.Message.Receive(conn, &message)
		switch {
		case errors.Is(err, io.EOF):
			return out.String(), errors.New("the connection ended before the program")
		case err != nil:
			return out.String(), err
		case len(message) == 0:
			continue
		}
		switch text := message[1:]; message[0] {
		case standardOutput:
			out.Write(text)
		case standardError:
			complaints.Write(text)
		case outcome:
			return out.String(), ended(text, complaints.String())
		}
	}
}

func ended(status []byte, complaints string) error {
	var s struct{ Status, Message string }
	if err := json.Unmarshal(status, &s); err != nil {
		return err
	}
	if s.Status == "Success" {
		return nil
	}
	return errors.New(strings.TrimSpace(s.Message + ": " + complaints))
}
