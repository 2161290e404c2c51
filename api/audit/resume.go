package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// resume finds the end of the chain, and says what was wrong with it.
func (l *Log) resume() (note string, err error) {
	defer func() {
		if err != nil {
			l.close()
			err = fmt.Errorf("open audit log: %w", err)
		}
	}()
	if err := os.MkdirAll(l.opt.Dir, 0o700); err != nil {
		return "", err
	}
	if err := l.begin(); err != nil {
		return "", err
	}
	if note, err = l.cutTorn(); err != nil {
		return "", err
	}
	for n := 0; n <= l.opt.Keep; n++ {
		more, err := l.resumeFrom(n)
		if err != nil {
			return "", err
		}
		if more != "" {
			note = more
		}
		if l.seq > 0 && l.generation > 0 {
			break
		}
	}
	return note, nil
}

// cutTorn takes away what stands after the last newline.
func (l *Log) cutTorn() (note string, err error) {
	end := int64(0)
	err = backwards(l.file, l.size, func(part []byte, at int64) bool {
		i := bytes.LastIndexByte(part, '\n')
		if i >= 0 {
			end = at + int64(i) + 1
		}
		return i < 0
	})
	if err != nil || end == l.size {
		return "", err
	}
	note = fmt.Sprintf("%d bytes of an unfinished entry were taken away", l.size-end)
	if err := l.file.Truncate(end); err != nil {
		return "", err
	}
	l.size = end
	return note, nil
}

// resumeFrom looks for the end of the chain and the newest generation in file n.
func (l *Log) resumeFrom(n int) (note string, err error) {
	f, err := os.Open(l.path(n))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	err = linesBackwards(f, info.Size(), func(line []byte) bool {
		e, _, own, bad := parseLine(line)
		if l.seq == 0 {
			if bad != nil {
				if note == "" {
					note = "the last entry " + bad.Error() + "; the chain goes on from the last good one"
				}
				return true
			}
			l.seq, l.last = e.Seq, own
		}
		if bad == nil && e.Generation > 0 {
			l.generation = e.Generation
		}
		return l.generation == 0
	})
	return note, err
}

// backwards reads the first size bytes of r from the end in parts, each with
// its offset, while f wants more.
func backwards(r io.ReaderAt, size int64, f func(part []byte, at int64) bool) error {
	buf := make([]byte, min(size, chunk))
	for size > 0 {
		n := min(size, chunk)
		size -= n
		if _, err := r.ReadAt(buf[:n], size); err != nil {
			return err
		}
		if !f(buf[:n], size) {
			return nil
		}
	}
	return nil
}

// linesBackwards gives f the lines of r from the last to the first, while it
// wants more.
func linesBackwards(r io.ReaderAt, size int64, f func(line []byte) bool) error {
	var rest []byte // the end of a line whose start was not read yet
	more := true
	err := backwards(r, size, func(part []byte, at int64) bool {
		part = append(bytes.Clone(part), rest...)
		for more {
			part = bytes.TrimSuffix(part, []byte("\n"))
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 && at > 0 {
				break
			}
			if line := part[i+1:]; len(line) > 0 {
				more = f(line)
			}
			if i < 0 {
				break
			}
			part = part[:i+1]
		}
		rest = part
		return more
	})
	return err
}
