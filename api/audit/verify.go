package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// A Summary says what a verified record holds.
type Summary struct {
	Files       int
	Entries     int
	First, Last uint64 // numbers of the oldest and the newest entry
}

// A BrokenError says where the chain of a record breaks.
type BrokenError struct {
	File   string
	Line   int
	Detail string
}

func (e *BrokenError) Error() string { return fmt.Sprintf("%s:%d: entry %s", e.File, e.Line, e.Detail) }

// Verify reads the record in dir and follows its chain from the oldest file
// that is left. It returns a *BrokenError where the chain breaks. An unfinished
// last line is no break: it is being written, or a crash cut it off.
func Verify(dir string) (Summary, error) {
	l := Log{opt: Options{Dir: dir}}
	oldest := 0
	for {
		if _, err := os.Stat(l.path(oldest + 1)); err != nil {
			break
		}
		oldest++
	}
	var v verifier
	for n := oldest; n >= 0; n-- {
		if err := v.file(l.path(n)); err != nil {
			return v.Summary, err
		}
	}
	return v.Summary, nil
}

type verifier struct {
	Summary
	last sum
}

func (v *verifier) file(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && v.Files == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify audit log: %w", err)
	}
	defer f.Close()
	v.Files++
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("verify audit log: %w", err)
		}
		if detail := v.follow(bytes.TrimSuffix(line, []byte("\n"))); detail != "" {
			return &BrokenError{File: name, Line: n, Detail: detail}
		}
	}
}

// follow takes the next line, and says what is wrong with it.
func (v *verifier) follow(line []byte) string {
	e, prev, own, err := parseLine(line)
	switch {
	case err != nil:
		return err.Error()
	case v.Entries > 0 && (prev != v.last || e.Seq != v.Last+1):
		return fmt.Sprintf("%d does not follow entry %d", e.Seq, v.Last)
	case v.Entries == 0:
		v.First = e.Seq
	}
	v.Entries++
	v.Last, v.last = e.Seq, own
	return ""
}
