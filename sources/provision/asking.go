package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// When the console is told that a source has not answered yet: whoever looks at
// it shall not have to wait until the program gives up.
const (
	firstNotice = 10 * time.Second
	nextNotice  = 30 * time.Second
)

// An attempt is the reading of one source.
type attempt struct {
	source  Source
	answer  chan reading
	trouble atomic.Pointer[error] // why it is tried again; nil while it is not
}

// ask reads s. It does not wait.
func ask(ctx context.Context, s Source) *attempt {
	a := &attempt{source: s, answer: make(chan reading, 1)}
	ctx = platform.WithTrouble(ctx, func(err error) { a.trouble.Store(&err) })
	go func() {
		data, err := s.Read(ctx)
		a.answer <- reading{s, data, err}
	}()
	return a
}

// await returns the answer, or gives the source up when ctx ends. Meanwhile it
// calls notice now and then.
func (a *attempt) await(ctx context.Context, limit time.Duration, next *time.Timer, notice func()) reading {
	for {
		select {
		case r := <-a.answer:
			return r
		case <-next.C:
			next.Reset(nextNotice)
			notice()
			continue
		case <-ctx.Done():
		}
		const grace = 200 * time.Millisecond // to say why it gave up
		select {
		case r := <-a.answer:
			return r
		case <-time.After(grace):
			return reading{source: a.source, err: fmt.Errorf("no answer within %s", limit)}
		}
	}
}

// silent returns those that have not answered yet, each with its trouble.
func silent(all []*attempt) string {
	var out []string
	for _, a := range all {
		if len(a.answer) > 0 {
			continue
		}
		text := a.source.Name()
		if err := a.trouble.Load(); err != nil {
			text += " (" + brief(*err) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " and ")
}

// brief returns what err says without what was asked for, which is known.
func brief(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}

// located is a source that says where it looks.
type located interface{ Where() string }

// names returns the names of sources, and where they look.
func names(sources []Source) string {
	var out []string
	for _, s := range sources {
		name := s.Name()
		if l, ok := s.(located); ok {
			name += ", " + l.Where()
		}
		out = append(out, name)
	}
	return strings.Join(out, "; ")
}
