package image

import (
	"fmt"
	"io"
	"time"
)

// progress tells, one line per step, what is being done, how long it took and
// what came of it.
type progress struct{ out io.Writer }

// step does one step. What do returns is shown behind the time.
func (p progress) step(what string, do func() (string, error)) error {
	start := time.Now()
	result, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(p.out, "%7.1fs  %-28s %s\n", time.Since(start).Seconds(), what, result)
	return nil
}

// megabytes writes a size as it is talked about.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
