package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/bulkhead-os/bulkhead/api/journal"
	"github.com/bulkhead-os/bulkhead/api/problem"
)

// A Journal gives the lines that the programs of the node write.
type Journal interface {
	Open(ctx context.Context, q journal.Query) (*journal.Stream, error)
}

const (
	maxLogLines   = 100_000 // of an answer that does not follow
	maxLogStreams = 8       // at a time
	logChunk      = 32 << 10
)

// getLogs answers GET /logs: lines of JSON, until there are no more, or, when
// they are followed, until the caller goes or the daemon ends.
func (s *Server) getLogs(c *call) error {
	q, err := s.logQuery(c)
	if err != nil {
		return err
	}
	if s.opt.Journal == nil {
		return problem.New(problem.NoJournal, "there is no journal here").WithHint("the daemon runs in a sandbox, whose programs have none")
	}
	select {
	case s.logStreams <- struct{}{}:
		defer func() { <-s.logStreams }()
	default:
		return problem.New(problem.TooManyStreams, "%d callers read the journal already", maxLogStreams).WithHint("try again when one has ended")
	}
	ctx, cancel := s.untilClosing(c)
	defer cancel()
	lines, err := s.opt.Journal.Open(ctx, q)
	if err != nil {
		return problem.New(problem.NoJournal, "the journal cannot be read: %v", err)
	}
	next := follow(lines)
	defer func() {
		cancel() // ends what next waits for
		next.end()
		lines.Close()
	}()
	return s.sendLogs(ctx, c, q, next)
}

// untilClosing returns the context of a stream: it ends with the request, and
// when the daemon or the connection is to end.
func (s *Server) untilClosing(c *call) (context.Context, func()) {
	ctx, cancel := context.WithCancel(c.r.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
		case <-c.peer.closing():
		case <-s.ending:
		}
		cancel()
	}()
	return ctx, func() { cancel(); <-done }
}

// sendLogs sends lines. The first decides about the status.
func (s *Server) sendLogs(ctx context.Context, c *call, q journal.Query, next *feed) error {
	if !q.Follow {
		first := <-next.entries
		if err := first.err; err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			if q.Boot != "" {
				return badParameter("boot", "%v", err)
			}
			return problem.New(problem.NoJournal, "the journal cannot be read: %v", err)
		}
		next.back = &first
	}
	c.w.Header()["Content-Type"] = ndjsonType
	c.w.Header()["Cache-Control"] = []string{"no-store"}
	c.status = http.StatusOK
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead || q.Follow && !c.push(nil) {
		return nil
	}
	beat := time.NewTicker(s.opt.Heartbeat)
	defer beat.Stop()
	var b bytes.Buffer
	for {
		entry, ok := next.take(beat.C)
		if ok && entry.err != nil {
			c.push(b.Bytes())
			return s.logEnd(ctx, entry.err)
		}
		if !ok {
			b.WriteByte('\n') // shows the caller that somebody is there
		} else if err := appendLine(&b, entry.Entry); err != nil {
			return err
		}
		if !ok || entry.last || b.Len() > logChunk {
			if !c.push(b.Bytes()) {
				return nil
			}
			b.Reset()
		}
	}
}

// logEnd returns what to do about err, with which the lines have ended. An
// answer that breaks off must not look like a whole one.
func (s *Server) logEnd(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	s.opt.Log.Warn("journal breaks off", "err", err)
	panic(http.ErrAbortHandler)
}

func appendLine(b *bytes.Buffer, e journal.Entry) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// logQuery reads what the caller wants to see.
func (s *Server) logQuery(c *call) (journal.Query, error) {
	var q journal.Query
	for _, p := range []struct {
		name  string
		value *string
		check func(string) error
		want  string
	}{
		{"unit", &q.Unit, journal.CheckUnit, "want a name such as containerd.service"},
		{"boot", &q.Boot, checkBoot, "want 0 for this boot, -1 for the one before, the id of a boot, or all"},
		{"priority", &q.Priority, journal.CheckPriority, "want emerg, alert, crit, err, warning, notice, info, debug or 0 to 7"},
		{"after", &q.After, journal.CheckCursor, "want the cursor of a line"},
	} {
		v, given := c.query.get(p.name)
		if !given {
			continue
		}
		if err := p.check(v); err != nil {
			return q, badParameter(p.name, "%v", err).WithHint("%s", p.want)
		}
		*p.value = v
	}
	if q.Boot == everyBoot {
		q.Boot = ""
	}
	if v, given := c.query.get("since"); given {
		var err error
		if q.Since, err = journal.ParseSince(v, s.opt.Now()); err != nil {
			return q, badParameter("since", "%v", err).WithHint("want a time such as 2026-01-02T03:04:05Z, or how long ago, such as 90s or 2h")
		}
	}
	return q, logExtent(c.query, &q)
}

// everyBoot is what asks for the lines of all boots, as nothing does.
const everyBoot = "all"

func checkBoot(s string) error {
	if s == everyBoot {
		return nil
	}
	return journal.CheckBoot(s)
}

// logExtent reads how much of it is wanted.
func logExtent(from query, q *journal.Query) error {
	var err error
	if q.Kernel, err = from.truth("kernel"); err != nil {
		return err
	}
	if q.Follow, err = from.truth("follow"); err != nil {
		return err
	}
	lines, err := from.number("lines", 0, maxLogLines)
	if err != nil {
		return err
	}
	if q.Lines = int(lines); q.Lines == 0 && !q.Follow {
		q.Lines = maxLogLines
	}
	return nil
}

// truth returns a parameter that is 1 or true, or 0 or false.
func (q query) truth(name string) (bool, error) {
	v, err := q.choice(name, "0", "1", "false", "true")
	if err != nil {
		return false, err
	}
	return strconv.ParseBool(v)
}

// A logItem is an entry, or how they end.
type logItem struct {
	journal.Entry
	err  error
	last bool // of those that are there: the next one has to be waited for
}

// A feed brings entries from where they are waited for.
type feed struct {
	entries chan logItem
	back    *logItem // taken and put back
	stop    chan struct{}
	done    chan struct{}
}

// follow begins to read lines.
func follow(lines *journal.Stream) *feed {
	f := &feed{entries: make(chan logItem), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for {
			e, err := lines.Next()
			select {
			case f.entries <- logItem{e, err, err == nil && lines.Waiting()}:
			case <-f.stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return f
}

// take returns the next entry, or false when beat comes first.
func (f *feed) take(beat <-chan time.Time) (logItem, bool) {
	if item := f.back; item != nil {
		f.back = nil
		return *item, true
	}
	select {
	case item := <-f.entries:
		return item, true
	case <-beat:
		return logItem{}, false
	}
}

// end stops reading, and waits for that. The stream must have ended, or be about
// to.
func (f *feed) end() {
	close(f.stop)
	<-f.done
}
