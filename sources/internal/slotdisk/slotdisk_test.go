package slotdisk_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
	"github.com/bulkhead-os/bulkhead/sources/internal/slotdisk"
	"github.com/bulkhead-os/bulkhead/sources/internal/verity"
)

// image makes a disk with the partitions of two slots.
func image(t *testing.T) string {
	t.Helper()
	const size, sector = 1 << 20, 512
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	table := gpt.New(gpt.GUID{1}, size, sector)
	for i, name := range []string{"ROOT-A", "ROOT-A-VERITY", "ROOT-B", "ROOT-B-VERITY"} {
		table.Partitions = append(table.Partitions, gpt.Partition{
			Number: i + 1, Type: gpt.GUID{9}, ID: gpt.GUID{byte(10 + i)}, First: uint64(100 + 10*i), Last: uint64(109 + 10*i), Name: name,
		})
	}
	if err := errors.Join(f.Truncate(size), table.Write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func ids(t *testing.T, file string) map[string]gpt.GUID {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parts, err := gpt.Read(f, 1<<20, 512)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]gpt.GUID{}
	for _, p := range parts {
		out[p.Name] = p.ID
	}
	return out
}

func TestIdentities(t *testing.T) {
	file := image(t)
	d, err := slotdisk.OpenImage(file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before := ids(t, file)
	if err := d.Disguise("B"); err != nil {
		t.Fatal(err)
	}
	hidden := ids(t, file)
	if hidden["ROOT-A"] != before["ROOT-A"] || hidden["ROOT-B"] == before["ROOT-B"] || hidden["ROOT-B-VERITY"] == before["ROOT-B-VERITY"] {
		t.Errorf("after Disguise(B): %v, before %v, want others for B only", hidden, before)
	}
	root, err := verity.ParseRootHash("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Identify("B", root); err != nil {
		t.Fatal(err)
	}
	got := []string{ids(t, file)["ROOT-B"].String(), ids(t, file)["ROOT-B-VERITY"].String()}
	want := []string{"00010203-0405-0607-0809-0a0b0c0d0e0f", "10111213-1415-1617-1819-1a1b1c1d1e1f"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after Identify(B) (-want +got):\n%s", diff)
	}
}

// Nothing is written behind the end of a partition, and nothing read.
func TestPartEnds(t *testing.T) {
	d, err := slotdisk.OpenImage(image(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p, err := d.Part("ROOT-B")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Size() != 5120 {
		t.Fatalf("Size = %d, want 5120", p.Size())
	}
	if _, err := p.WriteAt(make([]byte, 2), 5119); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("WriteAt over the end = %v, want ErrShortWrite", err)
	}
	if _, err := p.WriteAt([]byte("end"), 5117); err != nil {
		t.Errorf("WriteAt at the end: %v", err)
	}
	b := make([]byte, 10)
	if n, err := p.ReadAt(b, 5117); n != 3 || string(b[:n]) != "end" || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt at the end = %q, %v, want the end and EOF", b[:n], err)
	}
	if _, err := d.Part("ROOT-C"); err == nil {
		t.Error("Part(ROOT-C) = nil, want that there is none")
	}
}
