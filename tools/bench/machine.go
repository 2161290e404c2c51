package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pin keeps this process, and the programs it will start, on n cores.
func pin(n int) error {
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("find the cores: %w", err)
	}
	for cpu, left := 0, n; left > 0 && cpu < 8*len(all)*8; cpu++ {
		if all.IsSet(cpu) {
			some.Set(cpu)
			left--
		}
	}
	// Affinity belongs to a thread; threads and processes to come inherit it.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("find the threads: %w", err)
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.SchedSetaffinity(tid, &some)
		}
		if err != nil {
			return fmt.Errorf("keep thread %s on %d cores: %w", t.Name(), n, err)
		}
	}
	runtime.GOMAXPROCS(n)
	return nil
}

// describe tells what the figures depend on.
func describe(dir string) string {
	var uts unix.Utsname
	kernel := "unknown"
	if err := unix.Uname(&uts); err == nil {
		kernel = unix.ByteSliceToString(uts.Release[:])
	}
	return fmt.Sprintf("machine     %s, %d cores of which %d are used\n"+
		"kernel      %s, %s\n"+
		"filesystem  %s\n"+
		"load        %s before the start\n",
		cpuModel(), runtime.NumCPU(), cores, kernel, runtime.Version(), filesystem(dir), loadAverage())
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(data), " ")
	return one
}

// filesystem returns the type of what dir is on, and where that is mounted.
func filesystem(dir string) string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	return mountOf(string(data), dir)
}

// mountOf finds the mount that dir is in. A line of mountinfo is
// "36 35 98:0 /root /mount options … - type source options".
func mountOf(mountinfo, dir string) string {
	best, found := "", "unknown"
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 2 {
			continue
		}
		point := f[4]
		inside := dir == point || point == "/" || strings.HasPrefix(dir, point+"/")
		// A later mount at the same place hides an earlier one.
		if inside && len(point) >= len(best) {
			best, found = point, fmt.Sprintf("%s (%s) at %s", g[0], g[1], point)
		}
	}
	return found
}

// rssAnon returns the anonymous memory of a process in bytes, as a status file
// in /proc tells it.
func rssAnon(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no line RssAnon in the status of the process")
}
