package plan

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	diffContext = 3       // lines shown round a change
	diffCells   = 4 << 20 // above this, changed parts are shown as replaced whole
)

// Diff returns the difference of two contents of the file at path as a unified
// diff, empty when there is none. What is not text is described only.
func Diff(path string, old, new []byte) string {
	switch {
	case bytes.Equal(old, new):
		return ""
	case !isText(old) || !isText(new):
		return fmt.Sprintf("binary contents differ: %d bytes before, %d after\n", len(old), len(new))
	}
	edits := edits(lines(old), lines(new))
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", nameOr(path, old), nameOr(path, new))
	for _, h := range hunks(edits) {
		h.write(&b)
	}
	return b.String()
}

func isText(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsRune(b, 0) }

func nameOr(path string, content []byte) string {
	if content == nil {
		return "/dev/null"
	}
	return path
}

// lines splits b behind each newline.
func lines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	out := strings.SplitAfter(string(b), "\n")
	if out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// An edit is a line that stays (' '), goes ('-') or comes ('+').
type edit struct {
	op   byte
	line string
}

// edits returns the shortest way from a to b, except for very large parts that
// differ.
func edits(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, edit{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	out := append(head, middle(a, b)...)
	for i := len(tail) - 1; i >= 0; i-- {
		out = append(out, tail[i])
	}
	return out
}

// middle finds the longest common subsequence by a table of lengths.
func middle(a, b []string) []edit {
	var out []edit
	i, j := 0, 0
	if (len(a)+1)*(len(b)+1) <= diffCells {
		length := common(a, b)
		for i < len(a) && j < len(b) {
			switch {
			case a[i] == b[j]:
				out = append(out, edit{' ', a[i]})
				i, j = i+1, j+1
			case length[i+1][j] >= length[i][j+1]:
				out = append(out, edit{'-', a[i]})
				i++
			default:
				out = append(out, edit{'+', b[j]})
				j++
			}
		}
	}
	for ; i < len(a); i++ {
		out = append(out, edit{'-', a[i]})
	}
	for ; j < len(b); j++ {
		out = append(out, edit{'+', b[j]})
	}
	return out
}

// common returns the lengths of the longest common subsequences of a[i:] and
// b[j:].
func common(a, b []string) [][]int32 {
	length := make([][]int32, len(a)+1)
	for i := range length {
		length[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	return length
}

// A hunk is a run of edits with where it starts in both files.
type hunk struct {
	oldAt, newAt int // lines before the hunk
	edits        []edit
}

// hunks groups edits with their context; changes whose contexts touch share a
// hunk.
func hunks(edits []edit) []hunk {
	var out []hunk
	last := -1 // index of the last change
	oldAt, newAt := 0, 0
	var starts [][2]int
	for i, e := range edits {
		starts = append(starts, [2]int{oldAt, newAt})
		if e.op != '+' {
			oldAt++
		}
		if e.op != '-' {
			newAt++
		}
		if e.op == ' ' {
			continue
		}
		from := max(0, i-diffContext)
		if last >= 0 && from <= last+diffContext {
			h := &out[len(out)-1]
			h.edits = append(h.edits, edits[last+1:i+1]...)
		} else {
			if last >= 0 {
				closeHunk(&out[len(out)-1], edits, last)
			}
			out = append(out, hunk{oldAt: starts[from][0], newAt: starts[from][1], edits: append([]edit(nil), edits[from:i+1]...)})
		}
		last = i
	}
	if last >= 0 {
		closeHunk(&out[len(out)-1], edits, last)
	}
	return out
}

func closeHunk(h *hunk, edits []edit, last int) {
	h.edits = append(h.edits, edits[last+1:min(len(edits), last+1+diffContext)]...)
}

func (h *hunk) write(b *strings.Builder) {
	olds, news := 0, 0
	for _, e := range h.edits {
		if e.op != '+' {
			olds++
		}
		if e.op != '-' {
			news++
		}
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span(h.oldAt, olds), span(h.newAt, news))
	for _, e := range h.edits {
		b.WriteByte(e.op)
		b.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span writes where a hunk is: an empty one is said to be at the line before.
func span(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprintf("%d", before+1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}
