package platform

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// How long is waited between tries.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// A Later is an error that may go away by itself.
type Later struct {
	Err   error
	After time.Duration // that the other side asks to wait; 0 if it says nothing
}

func (l *Later) Error() string { return l.Err.Error() }

func (l *Later) Unwrap() error { return l.Err }

// troubleKey is the key of what WithTrouble puts into a context.
type troubleKey struct{}

// WithTrouble returns a context in which Retry tells, each time that it has to try
// again, why.
func WithTrouble(ctx context.Context, tell func(error)) context.Context {
	return context.WithValue(ctx, troubleKey{}, tell)
}

// Retry calls try until it returns something else than a Later, or ctx ends.
// Pauses grow, and differ between nodes that were started together.
func Retry(ctx context.Context, try func(context.Context) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := try(ctx)
		later, again := errors.AsType[*Later](err)
		if !again {
			return err
		}
		if tell, ok := ctx.Value(troubleKey{}).(func(error)); ok {
			tell(later.Err)
		}
		wait := pause/2 + rand.N(pause/2+1)
		wait = max(wait, min(later.After, 4*maxPause))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("gave up after %d tries: %w", n, err)
		case <-timer.C:
		}
		pause = min(2*pause, maxPause)
	}
}

// Wait returns the error of an answer that asks to come again, or nil for one
// that will not change.
func Wait(r *http.Response, err error) error {
	switch r.StatusCode {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return nil
	default:
		if r.StatusCode < 500 {
			return nil
		}
	}
	seconds, parseErr := strconv.Atoi(r.Header.Get("Retry-After"))
	if parseErr != nil || seconds < 0 {
		seconds = 0
	}
	return &Later{Err: err, After: time.Duration(min(seconds, 3600)) * time.Second}
}
