package store

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
)

// sample returns settings of about 7 KB, as a real node has them.
func sample() document.Document {
	var leaves []document.Leaf
	add := func(value string, segments ...string) {
		leaves = append(leaves, document.Leaf{Key: key.Of(segments...), Value: document.NewValue(value)})
	}
	add(`"`+strings.Repeat("Q0FkYXRh", 250)+`"`, "kubernetes", "cluster-certificate")
	for i := range 40 {
		add(fmt.Sprintf(`"value-%d.example.org"`, i), "kubernetes", "node-labels", fmt.Sprintf("label-%d.example.org/name", i))
		add(fmt.Sprintf(`"%d"`, i*1024), "kernel", "sysctl", fmt.Sprintf("net.core.setting_%d", i))
	}
	for i := range 8 {
		name := fmt.Sprintf("container-%d", i)
		add(`"registry.example.org/images/`+name+`:v1.2.3"`, "host-containers", name, "source")
		add(`true`, "host-containers", name, "enabled")
		add(`false`, "host-containers", name, "superpowered")
	}
	return document.Of(leaves...)
}

func benchNode(b *testing.B) *node {
	n := newNode(b)
	n.opt.Notify, n.opt.Evaluate = nil, nil
	return n
}

// fillHistory commits the sample and small changes of it, count in all.
func fillHistory(b *testing.B, s *Store, count int) {
	b.Helper()
	for i := range count {
		p := document.Patch{Set: document.Of(document.Leaf{Key: key.Of("motd"), Value: document.NewValue(fmt.Sprint(i))})}
		if i == 0 {
			p.Set = sample()
		}
		benchCommit(b, s, p)
	}
}

func benchCommit(b *testing.B, s *Store, p document.Patch) {
	err := s.Patch(b.Context(), PatchRequest{Tx: "t", Patch: p})
	if err == nil {
		_, err = s.Commit(b.Context(), CommitRequest{Tx: "t", Message: "benchmark", Actor: tester})
	}
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit changes one setting among those of a real node, with a full
// history. For comparison it appends the same bytes to a file and syncs that,
// in turns with the commits, because disks have their moods.
func BenchmarkCommit(b *testing.B) {
	f, err := os.Create(b.TempDir() + "/file")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	s := benchNode(b).open()
	fillHistory(b, s, 210)
	data := s.Snapshot().User.TOML()
	var appends, commits time.Duration
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		i++
		start := time.Now()
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		appends += time.Since(start)
		p := document.Patch{Set: document.Of(document.Leaf{Key: key.Of("motd"), Value: document.NewValue(fmt.Sprint(i))})}
		if err := s.Patch(b.Context(), PatchRequest{Tx: "t", Patch: p}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		start = time.Now()
		if _, err := s.Commit(b.Context(), CommitRequest{Tx: "t", Message: "benchmark", Actor: tester}); err != nil {
			b.Fatal(err)
		}
		commits += time.Since(start)
	}
	b.ReportMetric(float64(appends.Nanoseconds())/float64(i), "append-ns")
	b.ReportMetric(float64(commits)/float64(appends), "x-append")
}

func BenchmarkPatch(b *testing.B) {
	s := benchNode(b).open()
	fillHistory(b, s, 1)
	p := document.Patch{Set: document.Of(document.Leaf{Key: key.Of("motd"), Value: document.NewValue("1")})}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Patch(b.Context(), PatchRequest{Tx: "t", Patch: p}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	n := benchNode(b)
	s := n.open()
	fillHistory(b, s, 210)
	n.stop(s)
	b.ReportAllocs()
	for b.Loop() {
		n.stop(n.open())
	}
}

// TestMemory: what a store holds in memory does not grow with its history.
func TestMemory(t *testing.T) {
	commits := 1000
	if soak() {
		commits = 10_000
	}
	n := newNode(t)
	n.opt.Notify = nil
	s := n.open()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var full uint64
	for i := range commits {
		p := document.Patch{Set: document.Of(document.Leaf{Key: key.Of("motd"), Value: document.NewValue(fmt.Sprint(i))})}
		if i == 0 {
			p.Set = sample()
		}
		if err := s.Patch(t.Context(), PatchRequest{Tx: "t", Patch: p}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), CommitRequest{Tx: "t", Message: "memory", Actor: tester}); err != nil {
			t.Fatal(err)
		}
		if i == 300 { // the history has its full length
			full = heap()
		}
	}
	if got := heap(); got > full+512<<10 {
		t.Errorf("heap after %d commits: %d KiB, after 300: %d KiB", commits, got>>10, full>>10)
	}
}
