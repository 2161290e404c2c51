package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/debian"
)

// restarts says how often each unit is restarted.
const restarts = 20

// restarting compares a change that restarts a unit with systemctl, under a
// systemd that is booted for it. The benchmark is apply's own: only its tests can
// boot one.
func (b *bench) restarting(ctx context.Context) error {
	const bar = 1.5
	name := "a change that restarts one unit, to systemctl restart of it"
	if os.Geteuid() != 0 || !debian.Systemd.Present(ctx) {
		b.add(name, "", "not measured: it takes root's rights and Debian's systemd", true)
		return nil
	}
	b.progress("%d restarts by apply and by systemctl", restarts)
	cmd := b.root.Go("test", "-run=^$", "-bench=^BenchmarkRestart$", fmt.Sprintf("-benchtime=%dx", restarts), "./sources/apply")
	cmd.Env = append(cmd.Env, "BULKHEAD_PROGRAM="+b.root.Path("build", "bin", "bulkhead"))
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	found, err := benchmarks(out.String())
	if err != nil {
		return err
	}
	for _, f := range found {
		for _, kind := range kinds {
			ratio := f.metrics[kind.name+"-ratio"]
			b.add(fmt.Sprintf("%s (ready %s; %s), median", name, f.name, kind.means), fmt.Sprintf("≤ %.1f×", bar),
				fmt.Sprintf("%.2f× (%.1f ms to %.1f ms)", ratio, f.metrics[kind.name+"-ms"], f.metrics["systemctl-ms"]), ratio <= bar)
		}
	}
	return nil
}

// kinds are the kinds of change that the benchmark tells apart.
var kinds = []struct{ name, means string }{
	{"cold", "with the start of apply"},
	{"warmed", "first of an apply that was told to get ready"},
	{"warm", "following another change"},
}

// A benchmark is one line of what go test says of benchmarks.
type benchmark struct {
	name    string // of the sub-benchmark
	metrics map[string]float64
}

// benchmarks reads the output of go test -bench. A line is
// "BenchmarkRestart/at-once-2 20 262007581 ns/op 1.2 warm-ratio".
func benchmarks(text string) ([]benchmark, error) {
	var out []benchmark
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		_, name, _ := strings.Cut(fields[0], "/")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of cores
		}
		b := benchmark{name, map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark %s: %w", line, err)
			}
			b.metrics[fields[i+1]] = value
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no benchmark ran: %s", text)
	}
	return out, nil
}
