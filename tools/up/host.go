package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/tools/debian"
)

// needs are what this computer has to have besides Go. Everything else comes
// from packages that are unpacked below build, and is not installed.
var needs = []debian.Need{
	{What: "apt-get and dpkg-deb, to fetch Debian packages", Packages: []string{"apt", "dpkg"}, Present: programs("apt-get", "dpkg-deb")},
	{
		What: "the keys of the Debian archive, to verify packages", Packages: []string{"debian-archive-keyring"},
		Present: files("/usr/share/keyrings/debian-archive-keyring.gpg"),
	},
	{
		What: "the certificates of public authorities, to fetch Go modules", Packages: []string{"ca-certificates"},
		Present: files("/etc/ssl/certs/ca-certificates.crt"),
	},
}

func programs(names ...string) func(context.Context) bool {
	return func(context.Context) bool {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return false
			}
		}
		return true
	}
}

func files(names ...string) func(context.Context) bool {
	return func(context.Context) bool {
		for _, name := range names {
			if isFile(name) != nil {
				return false
			}
		}
		return true
	}
}

// isFile returns an error unless name is a file that is there.
func isFile(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	return err
}

// Space that is needed: for the packages, tools and images of a build, and for
// what a node writes to its disk in its first hours.
const (
	buildSpace = 4 << 30
	nodeSpace  = 1 << 30
)

// host checks that nodes can be built and run on this computer, and installs
// what is missing.
func (j *job) host(ctx context.Context) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("this computer is %s/%s, want linux/amd64: images and the emulator that runs them are built for it", runtime.GOOS, runtime.GOARCH)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the go command is not in PATH: install Go 1.26 or newer from https://go.dev/dl and add its bin directory to PATH")
	}
	in := debian.NewInstaller(j.out)
	in.Ask = j.opt.Ask
	if err := in.Ensure(ctx, needs...); err != nil {
		return err
	}
	if err := j.space(); err != nil {
		return err
	}
	j.memory()
	return nil
}

// space returns an error when the disk would be full before the nodes are up.
func (j *job) space() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(string(j.root), &fs); err != nil {
		return fmt.Errorf("look for free space at %s: %w", j.root, err)
	}
	want := int64(0)
	if isFile(j.root.Path("build", "images", j.opt.Variant, "disk.raw")) != nil && j.opt.Image == "" {
		want += buildSpace
	}
	for i := range j.opt.Nodes {
		if isFile(j.cluster.Path(j.cluster.Machine(i+1), diskFile)) != nil {
			want += nodeSpace
		}
	}
	if have := int64(fs.Bavail) * fs.Bsize; have < want {
		return fmt.Errorf("%s has %s of free space, want %s: free some, or delete a cluster with: shipyard down --delete", j.root, gigabytes(have), gigabytes(want))
	}
	return nil
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// memory warns when the nodes want more memory than there is. They may never
// use it.
func (j *job) memory() {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return // nothing to say
	}
	if have, ok := available(string(text)); ok && have < j.opt.Nodes*j.opt.Memory {
		j.say("warning: %d MiB of memory are free, and the nodes may use %d; --memory gives them less", have, j.opt.Nodes*j.opt.Memory)
	}
}

// available returns the MiB that programs can still have.
func available(meminfo string) (int, bool) {
	for line := range strings.Lines(meminfo) {
		var kib int
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			return kib / 1024, true
		}
	}
	return 0, false
}
