package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// FileName is the name of the file that is written; older ones have a number
// behind it, the oldest the highest.
const FileName = "audit.log"

const (
	queueLength  = 1024
	syncInterval = time.Second
	chunk        = 64 << 10 // read at once when looking for the end of the record
)

// Options say how a record is kept. Zero values mean what is said there.
type Options struct {
	Dir      string // made, with mode 0700, if it is missing
	Log      *slog.Logger
	Now      func() time.Time // time.Now
	MaxBytes int64            // of one file; 8 MiB
	Keep     int              // older files; 8
}

// A Log is a record that is being written. It is safe for concurrent use.
type Log struct {
	opt   Options
	queue chan Entry
	done  chan struct{}

	mu     sync.RWMutex // held for reading while an entry is put into the queue
	closed bool

	// What follows belongs to the goroutine that writes.
	file       *os.File
	size       int64
	seq        uint64
	last       sum
	generation uint64 // the newest in the record
	lost       int    // entries that could not be written

	opened uint64 // generation at opening
	fault  atomic.Pointer[error]
}

// Open opens the record in opt.Dir and goes on with its chain. A last line
// that was cut off, by a crash or a power cut, is taken away, which the record
// then says. A record that cannot be opened is tried again with every entry;
// Err tells of it.
func Open(opt Options) *Log {
	if opt.MaxBytes == 0 {
		opt.MaxBytes = 8 << 20
	}
	if opt.Keep == 0 {
		opt.Keep = 8
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{opt: opt, queue: make(chan Entry, queueLength), done: make(chan struct{})}
	note, err := l.resume()
	l.opened = l.generation
	l.report(err)
	if note != "" {
		l.opt.Log.Warn("audit log was damaged", "note", note)
		l.queue <- l.note("%s", note)
	}
	go l.run()
	return l
}

// Err returns why the record cannot be written at the moment, or nil.
func (l *Log) Err() error {
	if err := l.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Append adds e to the record, within a second. It waits when entries come
// faster than the disk takes them, and does nothing after Close.
func (l *Log) Append(e Entry) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	if e.Time.IsZero() {
		e.Time = l.opt.Now()
	}
	if n := len(e.Keys); n > MaxKeys {
		e.Keys, e.More = e.Keys[:MaxKeys], e.More+n-MaxKeys
	}
	l.queue <- e
}

// LastGeneration returns the newest generation that the record knew when it
// was opened, or 0.
func (l *Log) LastGeneration() uint64 { return l.opened }

func (l *Log) note(format string, args ...any) Entry {
	return Entry{Time: l.opt.Now(), Actor: "apiserver", Via: "internal", Note: fmt.Sprintf(format, args...)}
}

// Close writes what is waiting and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
	return l.Err()
}

// run writes entries as they come and syncs once a second at most: a crash
// loses nothing that was written, a power cut a second at most, of which
// commits are made up for at the next start.
func (l *Log) run() {
	defer close(l.done)
	var timer <-chan time.Time
	for {
		select {
		case e, ok := <-l.queue:
			if !ok {
				l.sync()
				l.close()
				return
			}
			l.write(e)
			if timer == nil {
				timer = time.After(syncInterval)
			}
		case <-timer:
			timer = nil
			l.sync()
		}
	}
}

// write adds e and whatever else waits to the file.
func (l *Log) write(e Entry) {
	entries := l.gather(e)
	if l.file == nil {
		if _, err := l.resume(); err != nil {
			l.report(err)
			l.lost += requests(entries)
			return
		}
	}
	batch, seq, last := l.chain(entries)
	if l.size > 0 && l.size+int64(len(batch)) > l.opt.MaxBytes {
		l.sync()
		l.report(l.rotate())
		more := l.note("continued from the file before")
		more.Generation = l.generation
		entries = append([]Entry{more}, entries...)
		batch, seq, last = l.chain(entries)
	}
	n, err := l.file.Write(batch)
	l.size += int64(n)
	l.report(err)
	if err != nil {
		l.lost += requests(entries)
		// Half a line in the middle would break the chain for good.
		if cut := l.file.Truncate(l.size - int64(n)); cut == nil {
			l.size -= int64(n)
		}
		return
	}
	l.seq, l.last, l.lost = seq, last, 0
	for _, e := range entries {
		l.generation = max(l.generation, e.Generation)
	}
}

// requests counts the entries that are not from the log itself.
func requests(entries []Entry) (n int) {
	for _, e := range entries {
		if e.Note == "" {
			n++
		}
	}
	return n
}

// gather returns e and the entries that wait behind it, up to a bound.
func (l *Log) gather(e Entry) []Entry {
	var entries []Entry
	if l.lost > 0 {
		entries = append(entries, l.note("%d entries are missing here: they could not be written", l.lost))
	}
	entries = append(entries, e)
	for len(entries) < 64 {
		select {
		case next, ok := <-l.queue:
			if !ok {
				return entries
			}
			entries = append(entries, next)
			continue
		default:
		}
		break
	}
	return entries
}

// chain renders entries as the lines that follow the last one.
func (l *Log) chain(entries []Entry) (batch []byte, seq uint64, last sum) {
	seq, last = l.seq, l.last
	for _, e := range entries {
		seq++
		e.Seq = seq
		line, own := e.line(last)
		batch, last = append(batch, line...), own
	}
	return batch, seq, last
}

func (l *Log) sync() {
	if l.file != nil {
		l.report(l.file.Sync())
	}
}

// close forgets the file; the next entry opens it again.
func (l *Log) close() {
	if l.file != nil {
		// What mattered was synced.
		_ = l.file.Close()
		l.file = nil
	}
}

// report logs that the record cannot be written, once until it can.
func (l *Log) report(err error) {
	if err == nil {
		l.fault.Store(nil)
		return
	}
	if l.fault.Swap(&err) == nil {
		l.opt.Log.Error("audit log cannot be written", "err", err)
	}
}

func (l *Log) path(n int) string {
	if n == 0 {
		return filepath.Join(l.opt.Dir, FileName)
	}
	return filepath.Join(l.opt.Dir, fmt.Sprintf("%s.%d", FileName, n))
}

// rotate moves the files up by one and begins a new one.
func (l *Log) rotate() error {
	for n := l.opt.Keep - 1; n >= 0; n-- {
		if err := os.Rename(l.path(n), l.path(n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate audit log: %w", err)
		}
	}
	return l.begin()
}

// begin opens the file for appending and makes it when it is not there.
func (l *Log) begin() error {
	f, err := os.OpenFile(l.path(0), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.close()
	l.file, l.size = f, info.Size()
	return nil
}
