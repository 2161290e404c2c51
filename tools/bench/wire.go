package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// answerTime is how long any answer may take.
const answerTime = 30 * time.Second

// A wire is one connection to the daemon. It speaks just enough HTTP/1.1 to
// keep it alive: on two cores a complete client would take most of what is
// measured.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(ctx context.Context, socket string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (w *wire) Close() error { return w.conn.Close() }

// request returns a request as it goes over the wire.
func request(method, path, contentType string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", contentType)
	}
	if body != nil || method != "GET" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// A statusError is an answer that says that something went wrong.
type statusError struct {
	status int
	body   string
}

func (e statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// do sends req and reads the answer, whose body it returns the size of.
func (w *wire) do(req []byte) (size int64, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, err
	}
	if _, err := w.conn.Write(req); err != nil {
		return 0, err
	}
	h, err := w.head()
	if err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	if h.status >= 300 {
		var body bytes.Buffer
		_, err := w.body(h, &body)
		return 0, errors.Join(statusError{h.status, body.String()}, err)
	}
	return w.body(h, io.Discard)
}

type head struct {
	status  int
	length  int64
	chunked bool
}

func (w *wire) head() (head, error) {
	line, err := w.r.ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	// "HTTP/1.1 200 OK"
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return head{}, fmt.Errorf("%q is no answer", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return head{}, fmt.Errorf("status of %q: %w", line, err)
	}
	h := head{status: status}
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		name, value, found := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		switch {
		case !found:
			return h, nil // the empty line
		case bytes.EqualFold(name, []byte("Content-Length")):
			h.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			if err != nil {
				return h, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = true
		}
	}
}

func (w *wire) body(h head, to io.Writer) (int64, error) {
	if !h.chunked {
		return w.copy(to, h.length)
	}
	var total int64
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return total, fmt.Errorf("size of a chunk: %w", err)
		}
		n, err := w.copy(to, size)
		total += n
		if err != nil {
			return total, err
		}
		if _, err := w.r.Discard(len("\r\n")); err != nil || size == 0 {
			return total, err
		}
	}
}

func (w *wire) copy(to io.Writer, n int64) (int64, error) {
	if to == io.Discard {
		done, err := w.r.Discard(int(n))
		return int64(done), err
	}
	return io.CopyN(to, w.r, n)
}
