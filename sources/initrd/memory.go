package initrd

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// keptFree is how much memory the kernel keeps for those who cannot wait for it.
const keptFree = "/proc/sys/vm/min_free_kbytes"

// keepLessFree takes back what huge pages do to that: where they can be asked
// for, the kernel keeps whole groups of pages of each kind free, 45 MB of 2 GB
// and twice that once its marks are counted, whether or not anybody asks. A
// setting of vm.min_free_kbytes, applied later, has the last word.
func keepLessFree() error {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fmt.Errorf("size of the memory: %w", err)
	}
	kB := defaultFree(uint64(info.Totalram) * uint64(info.Unit) / 1024)
	return os.WriteFile(keptFree, []byte(strconv.FormatUint(kB, 10)), 0)
}

// defaultFree returns how many kB the kernel keeps free of a memory of total kB
// where there are no huge pages: the root of 16 times as much, within bounds.
func defaultFree(total uint64) uint64 {
	return min(max(uint64(math.Sqrt(float64(total)*16)), 128), 256<<10)
}
