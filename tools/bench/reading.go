package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmUp  = 500 * time.Millisecond
	measure = 3 * time.Second
)

// Requests that only read.
var (
	getOne   = request("GET", "/settings?keys=settings.motd", "", nil)
	getWhole = request("GET", "/settings", "", nil)
)

// reading measures how many requests a second the daemon answers.
func (b *bench) reading(ctx context.Context) error {
	for _, m := range []struct {
		name string
		req  []byte
		bar  float64
	}{
		{"GET of one setting", getOne, 20_000},
		{"GET of the whole document", getWhole, 4_000},
	} {
		b.progress("%s with %d clients", m.name, clients)
		if _, err := b.rate(ctx, m.req, warmUp); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		got, err := b.rate(ctx, m.req, measure)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		b.add(fmt.Sprintf("%s, %d clients", m.name, clients), fmt.Sprintf("≥ %.0f/s", m.bar), fmt.Sprintf("%.0f/s", got), got >= m.bar)
	}
	return nil
}

// rate returns how often a second req is answered.
func (b *bench) rate(ctx context.Context, req []byte, d time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	start := time.Now()
	n, err := b.repeat(ctx, req, clients)
	return float64(n) / time.Since(start).Seconds(), err
}

// repeat sends req from n clients over and over until ctx ends, and returns
// the number of answers.
func (b *bench) repeat(ctx context.Context, req []byte, n int) (int64, error) {
	var answers atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			w, err := dial(ctx, b.daemon.Socket)
			if err != nil {
				errs[i] = err
				return
			}
			defer w.Close()
			for ctx.Err() == nil {
				if _, err := w.do(req); err != nil {
					errs[i] = err
					return
				}
				answers.Add(1)
			}
		})
	}
	wg.Wait()
	return answers.Load(), errors.Join(errs...)
}
