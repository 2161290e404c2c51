package apply

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/api/render"
)

// nodeFacts finds out what templates may know of the node. What cannot be found
// out stays zero; nothing here waits for anything.
func nodeFacts(region string) render.Node {
	hostname, _ := os.Hostname()
	return render.Node{
		Hostname:  hostname,
		Addresses: addresses(),
		CPUs:      cpus("/sys/devices/system/cpu/online"),
		Memory:    memory(),
		Storage:   storage("/var"),
		Region:    region,
		FIPS:      firstLine("/proc/sys/crypto/fips_enabled") == "1",
		EFA:       hasEFA("/sys/bus/pci/drivers/efa"),
	}
}

// addresses returns the addresses by which others can reach the node, sorted.
func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cpus counts the CPUs in a list of ranges such as "0-3,6". The runtime counts
// only those that this process may use.
func cpus(file string) int {
	count := 0
	for part := range strings.SplitSeq(firstLine(file), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || to < from {
			return runtime.NumCPU()
		}
		count += to - from + 1
	}
	return count
}

func memory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// storage returns how large the file system of dir is.
func storage(dir string) int64 {
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return 0
	}
	return int64(info.Blocks) * info.Bsize
}

// hasEFA reports whether the driver in dir has a device.
func hasEFA(dir string) bool {
	devices, _ := filepath.Glob(filepath.Join(dir, "????:*")) // the pattern is well-formed
	return len(devices) > 0
}

func firstLine(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}
