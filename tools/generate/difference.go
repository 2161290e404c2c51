package generate

import (
	"fmt"
	"strings"
)

// around, most and wide bound what difference shows: lines round the change,
// lines of each side, and bytes of a line.
const (
	around = 2
	most   = 30
	wide   = 160
)

// difference shows the stretch of lines in which old and fresh differ. It is
// enough to see what went stale; git diff tells the rest once it is written.
func difference(old, fresh string) string {
	a, b := strings.Split(old, "\n"), strings.Split(fresh, "\n")
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out strings.Builder
	from := max(0, head-around)
	fmt.Fprintf(&out, "@@ line %d @@\n", from+1)
	show(&out, " ", a[from:head])
	show(&out, "-", a[head:len(a)-tail])
	show(&out, "+", b[head:len(b)-tail])
	show(&out, " ", a[len(a)-tail:min(len(a), len(a)-tail+around)])
	return out.String()
}

func show(out *strings.Builder, mark string, lines []string) {
	for i, l := range lines {
		if i == most {
			fmt.Fprintf(out, "%s … and %d lines more\n", mark, len(lines)-most)
			return
		}
		if len(l) > wide {
			l = strings.ToValidUTF8(l[:wide], "") + "…"
		}
		fmt.Fprintf(out, "%s%s\n", mark, l)
	}
}
