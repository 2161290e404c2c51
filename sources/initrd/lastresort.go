package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
	"github.com/bulkhead-os/bulkhead/sources/internal/sysblock"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// Where boot programs are, and how their names begin and end. What is between is
// the version, and behind a plus the counter of the loader; package slots has the
// whole of it, and more than fits in here.
const (
	esp           = "ESP"
	programDir    = "EFI/Linux"
	programPrefix = "bulkhead-"
	programSuffix = ".efi"
)

// Bounds of the time between the boots of a node that has nothing left to try.
const (
	firstDelay = 10 * time.Second
	lastDelay  = 5 * time.Minute
)

// counter returns what the name of a boot program says: how often it may be
// started, and how often it was. Without a counter it may always be.
func counter(file string) (left, done int, counted bool) {
	name := strings.TrimSuffix(file, programSuffix)
	i := strings.LastIndexByte(name, '+')
	if i < 0 {
		return 0, 0, false
	}
	l, d, _ := strings.Cut(name[i+1:], "-")
	a, err := strconv.ParseUint(l, 10, 16)
	if err != nil {
		return 0, 0, false
	}
	b, _ := strconv.ParseUint(d, 10, 16) // none is zero
	return int(a), int(b), true
}

// lastResort returns how long to wait before a boot that has little hope: of all
// boot programs the tries are used up, and the loader has started the newest more
// than once since. With each time it takes longer. The files are those that are
// left.
func lastResort(dir *fatdir.Dir) (wait time.Duration, files []string) {
	most := 0
	for _, f := range dir.Files() {
		if f.IsDir || !strings.HasSuffix(strings.ToLower(f.Name), programSuffix) {
			continue
		}
		left, done, counted := counter(f.Name)
		if !counted || left > 0 || done < 2 { // there is another, or one was set aside for it
			return 0, nil
		}
		most = max(most, done)
		files = append(files, f.Name)
	}
	if len(files) == 0 {
		return 0, nil
	}
	wait = firstDelay
	for i := 4; i < most && wait < lastDelay; i++ { // a version on trial has three tries
		wait *= 2
	}
	return min(wait, lastDelay), files
}

// slowDown waits where a boot has little hope, and says what would help.
func slowDown(disk string) {
	p, err := openPrograms(os.DirFS("/sys"), disk, os.O_RDONLY)
	if err != nil {
		return // the root has its own way of telling
	}
	wait, files := lastResort(p.dir)
	p.close()
	if wait == 0 {
		return
	}
	k := openKernelLog()
	k.fault(fmt.Errorf("every version on this node has failed: %s", strings.Join(files, ", ")))
	k.fault(fmt.Errorf("trying again in %s, and later each time; what helps is an image that works", wait))
	k.fault(errors.New("write one to the disk, which erases it, or start the node from another medium to save what is on it"))
	k.close()
	time.Sleep(wait)
}

// takeBack makes the boot program that led here one that has failed, if it was a
// good one until now: the loader would start it for ever. Then it takes another
// one, or counts how often this one is tried. It returns what it did.
func takeBack(sys fs.FS, hash verity.RootHash) string {
	disks, err := fs.ReadDir(sys, "block")
	if err != nil {
		return ""
	}
	for _, d := range disks {
		if !mayHaveRoot(d.Name()) {
			continue
		}
		p, err := openPrograms(sys, d.Name(), os.O_RDWR)
		if err != nil {
			continue
		}
		text := p.takeBack(hash)
		p.close()
		if text != "" {
			return text
		}
	}
	return ""
}

// takeBack is the function for one disk.
func (p programs) takeBack(hash verity.RootHash) string {
	for _, f := range p.dir.Files() {
		name, ok := strings.CutSuffix(f.Name, programSuffix)
		if _, _, counted := counter(f.Name); !ok || counted || !strings.HasPrefix(f.Name, programPrefix) {
			continue
		}
		r, err := p.fs.Open(f)
		if err != nil {
			continue
		}
		if starts, err := contains(r, "roothash="+hash.String()); err != nil || !starts {
			continue
		}
		to := name + "+0-1" + programSuffix
		if err := p.dir.Rename(f.Name, to); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s is now %s: it is started only when there is nothing else", f.Name, to)
	}
	return ""
}

// contains reports whether text is in what r reads.
func contains(r io.Reader, text string) (bool, error) {
	const piece = 1 << 20
	b := make([]byte, 0, piece+len(text))
	for {
		n, err := io.ReadFull(r, b[len(b):len(b)+piece])
		b = b[:len(b)+n]
		if bytes.Contains(b, []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		b = b[:copy(b[:cap(b)], b[max(0, len(b)-len(text)):])]
	}
}

// programs are the boot programs on a disk.
type programs struct {
	dev io.Closer
	fs  *fatdir.FS
	dir *fatdir.Dir
}

func openPrograms(sys fs.FS, name string, flags int) (programs, error) {
	table, err := readTable(sys, func(n string) (disk, error) { return os.Open(path.Join("/dev", n)) }, name)
	if err != nil {
		return programs{}, err
	}
	for _, p := range table {
		if p.Name != esp {
			continue
		}
		part, err := sysblock.Partition(sys, name, p.Number)
		if err != nil {
			return programs{}, err
		}
		dev, err := os.OpenFile(node(part), flags, 0)
		if err != nil {
			return programs{}, err
		}
		ps, err := readPrograms(dev)
		if err != nil {
			_ = dev.Close()
			return programs{}, err
		}
		ps.dev = dev
		return ps, nil
	}
	return programs{}, fmt.Errorf("disk %s has no partition %s", name, esp)
}

func readPrograms(dev fatdir.Device) (p programs, err error) {
	if p.fs, err = fatdir.Open(dev); err != nil {
		return p, err
	}
	p.dir, err = p.fs.Dir(programDir)
	return p, err
}

func (p programs) close() { _ = p.dev.Close() }
