package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A File is one file at several places, whose length is known.
type File struct {
	c    *Client
	urls []string
	size int64

	mu    sync.Mutex
	whole map[string]bool // places that give no parts
}

// Open returns the file of size bytes at urls, of which the first are tried first.
func (c *Client) Open(urls []string, size int64) *File {
	return &File{c: c, urls: urls, size: size, whole: map[string]bool{}}
}

// Size returns how many bytes the file has.
func (f *File) Size() int64 { return f.size }

// Copy writes n bytes of the file from off on to w. Where a server breaks off, it
// goes on from there. A server that gives no parts is made to give all that comes
// before, unless part is Strictly: then ErrNoRanges is returned. Attempt is counted
// up by callers whom the bytes did not satisfy: they come from another place then,
// if there is one.
func (f *File) Copy(ctx context.Context, w io.Writer, off, n int64, part Strictness, attempt int) error {
	urls := f.order(attempt)
	left := n
	err := f.c.insist(ctx, urls, func(u string) (bool, error) {
		if left == 0 {
			return false, nil
		}
		before := left
		err := f.copyFrom(ctx, u, w, off+n-left, &left, part)
		return before-left >= min(n, enough), err
	})
	if err != nil && !errors.Is(err, ErrNoRanges) {
		return fmt.Errorf("bytes %d to %d: %w", off, off+n-1, err)
	}
	return err
}

// A Strictness says what a server may do that gives no parts of files.
type Strictness int

// What is done then.
const (
	Leniently Strictness = iota // take what comes before, and throw it away
	Strictly                    // ask nothing of such a server
)

// enough is how much has to come before a server that breaks off is no fault.
const enough = 256 << 10

func (f *File) order(attempt int) []string {
	k := attempt % len(f.urls)
	return append(append([]string{}, f.urls[k:]...), f.urls[:k]...)
}

func (f *File) isWhole(u string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.whole[u]
}

func (f *File) setWhole(u string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole[u] = true
}

func (f *File) copyFrom(ctx context.Context, u string, w io.Writer, off int64, left *int64, part Strictness) error {
	all := off == 0 && *left == f.size
	whole := f.isWhole(u) || all
	if whole && !all && part == Strictly {
		return fmt.Errorf("%s: %w", u, ErrNoRanges)
	}
	span := ""
	if !whole {
		span = fmt.Sprintf("bytes=%d-%d", off, off+*left-1)
	}
	b, err := f.c.open(ctx, u, span)
	if err != nil {
		return err
	}
	defer b.Close()
	skip := off
	if b.resp.StatusCode == http.StatusPartialContent {
		if err := f.checkRange(b, off, *left); err != nil {
			f.setWhole(u) // it is not to be asked for parts again
			return err
		}
		skip = 0
	} else if err := f.checkWhole(b); err != nil {
		return err
	}
	if skip > 0 {
		f.setWhole(u)
		if part == Strictly {
			return fmt.Errorf("%s: %w", u, ErrNoRanges)
		}
		if _, err := io.CopyN(io.Discard, b, skip); err != nil {
			return short(u, err)
		}
	}
	to := &sink{w: w}
	got, err := io.CopyN(to, b, *left)
	*left -= got
	if to.err != nil {
		return stop{to.err}
	}
	return short(u, err)
}

// A sink tells errors of writing from those of reading.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (n int, err error) {
	n, s.err = s.w.Write(p)
	return n, s.err
}

// checkRange refuses an answer that is another part than the one asked for.
func (f *File) checkRange(b *body, off, n int64) error {
	text := b.resp.Header.Get("Content-Range")
	var from, to, size int64
	if _, err := fmt.Sscanf(text, "bytes %d-%d/%d", &from, &to, &size); err != nil {
		size = f.size
		if _, err := fmt.Sscanf(text, "bytes %d-%d/*", &from, &to); err != nil {
			return fmt.Errorf("%s: the server gives a part of the file and calls it %.60q", b.url, text)
		}
	}
	if from != off || to != off+n-1 || size != f.size {
		return fmt.Errorf("%s: the server gives %.60q, asked for bytes %d-%d of %d", b.url, text, off, off+n-1, f.size)
	}
	return nil
}

// checkWhole refuses a file that is announced with another length.
func (f *File) checkWhole(b *body) error {
	if n := b.resp.ContentLength; n >= 0 && n != f.size {
		return fmt.Errorf("%s: %w: it has %d bytes, and %d were signed", b.url, errOther, n, f.size)
	}
	return nil
}

func short(u string, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", u, io.ErrUnexpectedEOF)
	}
	return err
}
