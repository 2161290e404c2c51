package gpt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

// A recorder is a disk that remembers the order in which it was written to.
type recorder struct {
	data   []byte
	rounds [][]piece // what may be lost together: written between two syncs
}

// A piece is the least that a disk writes whole.
type piece struct {
	at   int64
	data []byte
}

func (r *recorder) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(r.data).ReadAt(b, at)
}

func (r *recorder) WriteAt(b []byte, at int64) (int, error) {
	for i := 0; i < len(b); i += sector {
		p := piece{at + int64(i), bytes.Clone(b[i:][:sector])}
		r.rounds[len(r.rounds)-1] = append(r.rounds[len(r.rounds)-1], p)
		copy(r.data[p.at:], p.data)
	}
	return len(b), nil
}

func (r *recorder) Sync() error {
	r.rounds = append(r.rounds, nil)
	return nil
}

func record(d []byte) *recorder { return &recorder{data: bytes.Clone(d), rounds: make([][]piece, 1)} }

func readTable(t *testing.T, d []byte) *gpt.Table {
	t.Helper()
	table, err := gpt.ReadTable(bytes.NewReader(d), int64(len(d)), sector)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func written(t *testing.T, table *gpt.Table, d []byte) bool {
	t.Helper()
	ok, err := table.Written(bytes.NewReader(d))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// guarded is disk with the sector in front of the table that Write also makes.
func guarded(t *testing.T) []byte {
	t.Helper()
	d := record(disk())
	if err := readTable(t, d.data).Write(d); err != nil {
		t.Fatal(err)
	}
	return d.data
}

var added = gpt.Partition{Type: typeID, ID: gpt.GUID{9}, First: 120, Last: 200, Name: "DATA-NEW"}

// changes are what the tests do to a table.
var changes = []struct {
	name  string
	spoil func(d []byte) []byte // before
	table func(table *gpt.Table) error
}{
	{"mend nothing", same, func(*gpt.Table) error { return nil }},
	{"add", same, add},
	{"rename", same, rename},
	{"add on a grown disk", grow, add},
	{"grow a partition with the disk", grow, func(table *gpt.Table) error {
		table.Partitions[1].Last = table.Last()
		return nil
	}},
	{"mend the start", func(d []byte) []byte { clear(d[:34*sector]); return d }, rename},
	{"mend the end", func(d []byte) []byte { clear(d[(sectors-33)*sector:]); return d }, rename},
	{"mend entries at the start", func(d []byte) []byte { d[2*sector+7]++; return d }, add},
	{"end of another time", func(d []byte) []byte { stale(d); return d }, add},
}

func add(table *gpt.Table) error {
	_, err := table.Add(added)
	return err
}

func rename(table *gpt.Table) error {
	table.Partitions[1].Name = "DATA"
	return nil
}

func grow(d []byte) []byte { return append(d, make([]byte, 100*sector)...) }

// stale makes the copy at the end that of an older table, which is whole.
func stale(d []byte) {
	entries := make([]byte, 128*128)
	copy(entries, d[2*sector:])
	copy(entries[56:], "O\x00L\x00D\x00")
	header(d, entries, sectors-1, 1, sectors-33)
}

func TestWrite(t *testing.T) {
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			d := record(tt.spoil(guarded(t)))
			table := readTable(t, d.data)
			if err := tt.table(table); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(table.Partitions)
			if err := table.Write(d); err != nil {
				t.Fatalf("Write: %v", err)
			}
			for _, side := range []string{"start", "end"} {
				one := bytes.Clone(d.data)
				if side == "start" {
					clear(one[len(one)-33*sector:])
				} else {
					clear(one[:34*sector])
				}
				if diff := cmp.Diff(want, readTable(t, one).Partitions); diff != "" {
					t.Errorf("partitions by the copy at the %s (-want +got):\n%s", side, diff)
				}
			}
			if !written(t, readTable(t, d.data), d.data) {
				t.Error("Written after Write: false, want true")
			}
			if size := binary.LittleEndian.Uint32(d.data[446+12:]); int(size) != len(d.data)/sector-1 {
				t.Errorf("the protective entry has %d sectors of %d", size, len(d.data)/sector)
			}
			again := record(d.data)
			if err := readTable(t, d.data).Write(again); err != nil || len(again.rounds) > 1 {
				t.Errorf("Write of the same again: %v, %d syncs, want none", err, len(again.rounds)-1)
			}
		})
	}
}

// Whatever of the writing a power cut leaves, the disk has the old table or the
// new one, and writing again completes it.
func TestWritePowerCut(t *testing.T) {
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.spoil(guarded(t))
			d := record(before)
			old, table := readTable(t, before), readTable(t, before)
			if err := tt.table(table); err != nil {
				t.Fatal(err)
			}
			if err := table.Write(d); err != nil {
				t.Fatal(err)
			}
			base, seen := bytes.Clone(before), map[[sha256.Size]byte]bool{}
			for _, round := range d.rounds {
				for _, left := range leftovers(round) {
					torn := put(bytes.Clone(base), left)
					sum := sha256.Sum256(torn)
					if seen[sum] {
						continue // most sectors of a table do not change
					}
					seen[sum] = true
					checkMends(t, torn, old, table, tt.table)
				}
				base = put(base, round)
			}
			if len(seen) < 5 && tt.name != "mend nothing" {
				t.Errorf("tried %d states of the disk, want more", len(seen))
			}
		})
	}
}

// leftovers returns what of a round may have reached the disk: each beginning,
// all but one piece, and some of it at random.
func leftovers(round []piece) [][]piece {
	out := [][]piece{nil}
	for i := range round {
		out = append(out, round[:i+1], slices.Concat(round[:i], round[i+1:]))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2 * len(round) {
		some := slices.DeleteFunc(slices.Clone(round), func(piece) bool { return random.IntN(2) == 0 })
		out = append(out, some)
	}
	return out
}

func put(d []byte, pieces []piece) []byte {
	for _, p := range pieces {
		copy(d[p.at:], p.data)
	}
	return d
}

// checkMends reads a torn table, which is either of two, and writes what change
// makes of it where that has not been done.
func checkMends(t *testing.T, torn []byte, old, want *gpt.Table, change func(*gpt.Table) error) {
	t.Helper()
	got := readTable(t, torn)
	if !cmp.Equal(got.Partitions, want.Partitions) {
		if diff := cmp.Diff(old.Partitions, got.Partitions); diff != "" {
			t.Fatalf("a torn table is neither the new one nor the old one (-old +got):\n%s", diff)
		}
		if err := change(got); err != nil {
			t.Fatal(err)
		}
	}
	d := record(torn)
	if err := got.Write(d); err != nil {
		t.Fatal(err)
	}
	mended := readTable(t, d.data)
	if diff := cmp.Diff(want.Partitions, mended.Partitions); diff != "" {
		t.Fatalf("partitions after mending (-want +got):\n%s", diff)
	}
	if !written(t, mended, d.data) {
		t.Fatal("Written after mending: false, want true")
	}
}

func TestWriteRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(table *gpt.Table)
		want   string
	}{
		{"beyond the end", func(table *gpt.Table) { table.Partitions[1].Last = table.Last() + 1 }, "partition 3 spans the sectors 100 to 223, want 34 to 222"},
		{"in front of the table's end", func(table *gpt.Table) { table.Partitions[0].First = 33 }, "partition 1 spans the sectors 33 to 99, want 34 to 222"},
		{"backwards", func(table *gpt.Table) { table.Partitions[0].Last = 39 }, "partition 1 spans the sectors 40 to 39"},
		{"over another", func(table *gpt.Table) { table.Partitions[0].Last = 100 }, "partitions 1 and 3 lie over one another"},
		{"same number", func(table *gpt.Table) { table.Partitions[0].Number = 3 }, "two partitions have the number 3"},
		{"long name", func(table *gpt.Table) { table.Partitions[0].Name = strings.Repeat("x", 37) }, "partition 1: its name has 37 characters, want at most 36"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := record(disk())
			table := readTable(t, d.data)
			tt.change(table)
			err := table.Write(d)
			if err == nil || !strings.HasPrefix(err.Error(), "write partition table: "+tt.want) {
				t.Errorf("Write: error %v, want one that begins with %q", err, tt.want)
			}
			if len(d.rounds[0]) > 0 {
				t.Error("Write changed the disk before it refused")
			}
		})
	}
}

// A disk that begins with somebody else's boot sector keeps it.
func TestWriteKeepsBootSector(t *testing.T) {
	d := record(disk())
	copy(d.data[446:], "another table of partitions, as hybrid disks have one")
	want := bytes.Clone(d.data[:sector])
	table := readTable(t, d.data)
	if err := add(table); err != nil {
		t.Fatal(err)
	}
	if err := table.Write(d); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, d.data[:sector]) {
		t.Error("Write changed the boot sector")
	}
}

// A number that was free does not keep what its entry once held.
func TestAdd(t *testing.T) {
	d := disk()
	entries := d[2*sector:][:128*128]
	copy(entries[128+16:128*2], bytes.Repeat([]byte{0xff}, 112)) // the second, whose type says that it is free
	header(d, entries, 1, sectors-1, 2)
	clear(d[(sectors-1)*sector:])
	r := record(d)
	table := readTable(t, d)
	number, err := table.Add(added)
	if err != nil || number != 2 {
		t.Fatalf("Add = %d, %v, want 2", number, err)
	}
	if err := table.Write(r); err != nil {
		t.Fatal(err)
	}
	want := added
	want.Number = 2
	if diff := cmp.Diff(want, readTable(t, r.data).Partitions[1]); diff != "" {
		t.Errorf("the added partition (-want +got):\n%s", diff)
	}
	for {
		if _, err = table.Add(added); err != nil {
			break
		}
	}
	if err.Error() != "partition table: all of its 128 entries are taken" || len(table.Partitions) != 128 {
		t.Errorf("Add to %d partitions: %v", len(table.Partitions), err)
	}
}

func TestNew(t *testing.T) {
	for _, size := range []int64{512, 4096} {
		d := record(make([]byte, 64*4096))
		table := gpt.New(gpt.GUID{5}, int64(len(d.data)), size)
		if _, err := table.Add(gpt.Partition{Type: typeID, First: table.First(), Last: table.Last(), Name: "ALL"}); err != nil {
			t.Fatal(err)
		}
		if err := table.Write(d); err != nil {
			t.Fatal(err)
		}
		got, err := gpt.ReadTable(bytes.NewReader(d.data), int64(len(d.data)), size)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(table.Partitions, got.Partitions); diff != "" || got.ID != table.ID {
			t.Errorf("table of sectors of %d bytes: disk %s (-want +got):\n%s", size, got.ID, diff)
		}
	}
}

func TestFind(t *testing.T) {
	table := readTable(t, disk())
	if i, err := table.Find("ROOT-A"); i != 0 || err != nil {
		t.Errorf("Find = %d, %v, want 0", i, err)
	}
	if i, err := table.Find("DATA"); i != -1 || err != nil {
		t.Errorf("Find of a name that no partition has = %d, %v, want -1", i, err)
	}
	clone := table.Clone()
	clone.Partitions[1].Name = "ROOT-A"
	if i, err := clone.Find("ROOT-A"); i != -1 || !errors.Is(err, gpt.ErrAmbiguous) {
		t.Errorf("Find of a name that two have = %d, %v, want %v", i, err, gpt.ErrAmbiguous)
	}
	if table.Partitions[1].Name == "ROOT-A" {
		t.Error("a change of the clone changed the table")
	}
}

func same(d []byte) []byte { return d }
