package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBenchmarks(t *testing.T) {
	const text = "goos: linux\n" +
		"BenchmarkRestart/at-once-2         \t      20\t 262007581 ns/op\t       136.4 cold-ms\t         5.762 cold-ratio\n" +
		"BenchmarkRestart/100ms-2           \t      20\t 572478879 ns/op\t         1.982 warm-ratio\n" +
		"PASS\n"
	want := []benchmark{
		{"at-once", map[string]float64{"ns/op": 262007581, "cold-ms": 136.4, "cold-ratio": 5.762}},
		{"100ms", map[string]float64{"ns/op": 572478879, "warm-ratio": 1.982}},
	}
	got, err := benchmarks(text)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(benchmark{})); diff != "" || err != nil {
		t.Errorf("benchmarks(%q): error %v (-want +got):\n%s", text, err, diff)
	}
	for _, bad := range []string{"PASS\n", "BenchmarkRestart/x-2 20 much ns/op\n"} {
		if got, err := benchmarks(bad); err == nil {
			t.Errorf("benchmarks(%q) = %v, want an error", bad, got)
		}
	}
}
