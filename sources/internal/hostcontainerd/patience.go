package hostcontainerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// longestBusy is how long a registry may tell us to stay away for us to wait.
// After that, the service manager tries again.
const longestBusy = 5 * time.Minute

// errSlow says that a registry takes a request and then does nothing about it.
var errSlow = errors.New("nothing came for too long")

// errUnreachable says that a registry does not even take a connection.
var errUnreachable = errors.New("no connection within the time for it")

// A courtesy is how we deal with the registries that an image comes from: none is
// waited for that sends nothing, and none is asked before the time that it named.
type courtesy struct {
	silence time.Duration // after which it is given up

	mu   sync.Mutex
	busy map[string]time.Time // hosts that are not to be asked, and until when; guarded by mu
}

// transport returns next with the manners of c.
func (c *courtesy) transport(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if left := c.left(r.URL.Host); left > 0 {
			return tooMany(r), nil // the library asks again at once
		}
		ctx, cancel := context.WithCancelCause(r.Context())
		alarm := time.AfterFunc(c.silence, func() { cancel(errSlow) })
		answer, err := next.RoundTrip(r.WithContext(ctx))
		alarm.Stop()
		if err != nil {
			defer cancel(nil)
			return nil, slow(ctx, err)
		}
		c.note(answer)
		answer.Body = &watched{ReadCloser: answer.Body, alarm: alarm, silence: c.silence, ctx: ctx, cancel: cancel}
		return answer, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// slow returns err without the mark of those that are over for lack of time, since
// the library would try again at once.
func slow(ctx context.Context, err error) error {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(context.Cause(ctx), errSlow):
		return errSlow
	case ok && timeout.Timeout() && ctx.Err() == nil:
		return fmt.Errorf("%w: %v", errUnreachable, err)
	}
	return err
}

// note keeps until when the host of answer is not to be asked.
func (c *courtesy) note(answer *http.Response) {
	if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable {
		return
	}
	wait := retryAfter(answer.Header.Get("Retry-After"), time.Now())
	if wait <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == nil {
		c.busy = map[string]time.Time{}
	}
	c.busy[answer.Request.URL.Host] = time.Now().Add(wait)
}

// retryAfter returns the time that the header names, as a number of seconds or as
// a date.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return at.Sub(now)
	}
	return 0
}

// left returns for how long host is not to be asked.
func (c *courtesy) left(host string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Until(c.busy[host])
}

// wait returns for how long some host is not to be asked, 0 if it may be asked.
func (c *courtesy) wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	longest := time.Duration(0)
	for _, until := range c.busy {
		longest = max(longest, time.Until(until))
	}
	return longest
}

// tooMany is the answer of a host that has said when it is to be asked again.
func tooMany(r *http.Request) *http.Response {
	const code = http.StatusTooManyRequests
	return &http.Response{
		Status: strconv.Itoa(code) + " " + http.StatusText(code), StatusCode: code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r,
	}
}

// watched is the body of an answer that is given up when nothing comes.
type watched struct {
	io.ReadCloser

	alarm   *time.Timer
	silence time.Duration
	ctx     context.Context // of the request, which ends with the body
	cancel  context.CancelCauseFunc
}

// Read sets the alarm for as long as it waits: who reads may take his time.
func (w *watched) Read(p []byte) (int, error) {
	w.alarm.Reset(w.silence)
	n, err := w.ReadCloser.Read(p)
	w.alarm.Stop()
	if err != nil && err != io.EOF {
		err = slow(w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.alarm.Stop()
	err := w.ReadCloser.Close()
	w.cancel(nil)
	return err
}
