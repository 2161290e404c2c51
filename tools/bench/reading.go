package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmUp = 500 * time.Millisecond
	span   = 3 * time.Second
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
		size, err := b.once(ctx, m.req)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		b.progress("%s with %d clients", m.name, clients)
		if _, err := b.rate(ctx, m.req, warmUp); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		got, err := b.rate(ctx, m.req, span)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		b.add(fmt.Sprintf("%s (%d bytes), %d clients", m.name, size, clients), fmt.Sprintf("≥ %.0f/s", m.bar), fmt.Sprintf("%.0f/s", got), got >= m.bar)
	}
	return nil
}

// once sends req and returns the size of the answer.
func (b *bench) once(ctx context.Context, req []byte) (int64, error) {
	w, err := dial(ctx, b.daemon.Socket)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	return w.do(req)
}

// rate returns how often a second req is answered.
func (b *bench) rate(ctx context.Context, req []byte, d time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	start := time.Now()
	n, err := repeat(ctx, load{socket: b.daemon.Socket, req: req, clients: clients})
	return float64(n) / time.Since(start).Seconds(), err
}

// Read reads one setting from the daemon at socket until ctx ends, and writes
// a line to out once it was answered. It is the readers of a figure about
// commits.
func Read(ctx context.Context, socket string, pause time.Duration, out io.Writer) error {
	w, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.do(getOne); err != nil {
		return err
	}
	fmt.Fprintln(out, "reading")
	_, err = repeat(ctx, load{socket: socket, req: getOne, clients: readers, pause: pause})
	return err
}

// A load is clients that send a request over and over.
type load struct {
	socket  string
	req     []byte
	clients int
	pause   time.Duration // between an answer and the next request
}

// repeat puts l on the daemon until ctx ends, and returns the number of answers.
func repeat(ctx context.Context, l load) (int64, error) {
	var answers atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, l.clients)
	for i := range l.clients {
		wg.Go(func() { errs[i] = l.client(ctx, &answers) })
	}
	wg.Wait()
	return answers.Load(), errors.Join(errs...)
}

func (l load) client(ctx context.Context, answers *atomic.Int64) error {
	w, err := dial(ctx, l.socket)
	if err != nil {
		return err
	}
	defer w.Close()
	for ctx.Err() == nil {
		if _, err := w.do(l.req); err != nil {
			return err
		}
		answers.Add(1)
		if l.pause > 0 {
			time.Sleep(l.pause)
		}
	}
	return nil
}
