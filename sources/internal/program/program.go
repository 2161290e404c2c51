// Package program runs the programs of others.
package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// tailSize is how much of the end of a program's output is kept.
const tailSize = 4 << 10

// grace is how long a program may take to end once it was told to.
const grace = 2 * time.Second

// Run runs the program with the given words, for at most limit, and returns the
// end of what it wrote to both outputs. The error quotes the words and the last
// line of the output.
func Run(ctx context.Context, limit time.Duration, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out tail
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = grace // for children that keep the output open
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("not done within %s", limit)
	}
	if err == nil {
		return out.String(), nil
	}
	if last := lastLine(out.String()); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return out.String(), fmt.Errorf("run %s: %w", quote(words), err)
}

func quote(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if w == "" || strings.ContainsFunc(w, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`"'\`, r) || !strconv.IsPrint(r) }) {
			w = strconv.Quote(w)
		}
		b.WriteString(w)
	}
	return b.String()
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// A tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.b), "\uFFFD") }
