package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

const sector = 512

// mib is the first sector at a place.
func mib(n int64) uint64 { return uint64(n * mebibyte / sector) }

// image is the state of a disk of size MiB with what an image brings: a root
// and PRIVATE, which ends at 32 MiB. The table is that of a disk of had MiB.
func image(had, size int64) State {
	t := gpt.New(gpt.GUID{1}, size*mebibyte, sector)
	t.Partitions = []gpt.Partition{
		{Number: 1, Type: gpt.GUID{2}, ID: gpt.GUID{3}, First: mib(1), Last: mib(16) - 1, Name: "ROOT-A"},
		{Number: 2, Type: disklayout.LinuxData(), ID: gpt.GUID{4}, First: mib(16), Last: mib(32) - 1, Name: "PRIVATE"},
	}
	return State{
		Sector: sector, Table: t, Written: had == size, ID: gpt.GUID{9},
		Kernel:   map[int]Extent{2: {16 * mebibyte, 16 * mebibyte}},
		Contents: map[int]Content{2: system("PRIVATE", 16)},
	}
}

// used is image with a partition DATA of some MiB in use.
func used(had, size, data int64) State {
	s := image(had, size)
	return s.with(3, "DATA", 32, data, system("DATA", data))
}

// with adds a partition, which the kernel has, to s.
func (s State) with(number int, name string, begin, size int64, c Content) State {
	s.Table.Partitions = append(s.Table.Partitions, gpt.Partition{
		Number: number, Type: disklayout.LinuxData(), ID: gpt.GUID{byte(number)}, First: mib(begin), Last: mib(begin+size) - 1, Name: name,
	})
	s.Kernel[number] = Extent{begin * mebibyte, size * mebibyte}
	s.Contents[number] = c
	return s
}

func system(label string, size int64) Content {
	return Content{System: &ext4.Superblock{Label: label, BlockSize: 4096, Blocks: uint64(size * mebibyte / 4096)}}
}

func (c Content) unclean() Content { c.System.Unclean = true; return c }

func (c Content) faulty() Content { c.System.Faulty = true; return c }

// text prints a plan, one step in a line.
func text(p Plan) string {
	var b strings.Builder
	for _, s := range p.Table {
		fmt.Fprintf(&b, "%s%s\n", s, partitions(s))
	}
	for _, v := range p.Volumes {
		fmt.Fprintf(&b, "%s:\n", v.Name)
		if v.Lost != nil {
			fmt.Fprintf(&b, "  %s: %s\n", v.Lost.Code, v.Lost.Detail)
		}
		for _, s := range v.Steps {
			fmt.Fprintf(&b, "  %s%s\n", s, partitions(s))
		}
		for _, s := range v.Grow {
			fmt.Fprintf(&b, "  then %s\n", s)
		}
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "%s: %s\n", f.Code, f.Detail)
	}
	return b.String()
}

// partitions prints those of a table that is to be written, from the third on,
// with where they begin and end in MiB.
func partitions(s Step) string {
	w, ok := s.(WriteTable)
	if !ok {
		return ""
	}
	out := " [" + fmt.Sprint(len(w.Table.Partitions))
	for _, p := range w.Table.Partitions[2:] {
		out += fmt.Sprintf(" %s %d-%d", p.Name, p.First*sector/mebibyte, (p.Last+1)*sector/mebibyte)
	}
	return out + "]"
}

const private = "PRIVATE:\n  mount partition 2 at /var/lib/bulkhead\n"

func TestPlan(t *testing.T) {
	tests := []struct {
		name  string
		state State
		want  string
	}{
		{"later boot", used(200, 200, 167), "DATA:\n  mount partition 3 at /var\n" + private},
		{"first boot", image(33, 200), `DATA:
  add partition 3 of 166 MiB as DATA-NEW [3 DATA-NEW 33-199]
  tell the kernel of partition 3
  make the file system DATA on partition 3
  rename partition 3 to DATA [3 DATA 33-199]
  mount partition 3 at /var
` + private},
		{"cut off before the kernel knew", cut(image(200, 200).with(3, "DATA-NEW", 32, 167, Content{})), `DATA:
  tell the kernel of partition 3
  make the file system DATA on partition 3
  rename partition 3 to DATA [3 DATA 32-199]
  mount partition 3 at /var
` + private},
		{"cut off before the name", image(200, 200).with(3, "DATA-NEW", 32, 167, system("DATA", 167)), `DATA:
  make the file system DATA on partition 3
  rename partition 3 to DATA [3 DATA 32-199]
  mount partition 3 at /var
` + private},
		{"cut off, then grown", image(200, 300).with(3, "DATA-NEW", 32, 167, Content{}), `DATA:
  let partition 3 take all of 267 MiB [3 DATA-NEW 32-299]
  tell the kernel that partition 3 has 267 MiB
  make the file system DATA on partition 3
  rename partition 3 to DATA [3 DATA 32-299]
  mount partition 3 at /var
` + private},
		{"cut off in one copy of the table", damaged(image(200, 200).with(3, "DATA-NEW", 32, 167, Content{})), `DATA:
  make the file system DATA on partition 3
  rename partition 3 to DATA [3 DATA 32-199]
  mount partition 3 at /var
` + private},
		{"larger disk", used(200, 300, 167), `let partition 3 take all of 267 MiB [3 DATA 32-299]
tell the kernel that partition 3 has 267 MiB
DATA:
  mount partition 3 at /var
  then grow the file system at /var to 68352 blocks
` + private},
		{"cut off while growing", stale(used(300, 300, 267), 3, 167), `tell the kernel that partition 3 has 267 MiB
DATA:
  mount partition 3 at /var
  then grow the file system at /var to 68352 blocks
` + private},
		{"little larger disk", used(200, 215, 167), "mend the partition table [3 DATA 32-199]\nDATA:\n  mount partition 3 at /var\n" + private},
		{"partition behind DATA", used(200, 300, 100).with(4, "MINE", 150, 10, Content{}), `let partition 3 take all of 118 MiB [4 DATA 32-150 MINE 150-160]
tell the kernel that partition 3 has 118 MiB
DATA:
  mount partition 3 at /var
  then grow the file system at /var to 30208 blocks
` + private},
		{"partition behind PRIVATE", image(300, 300).with(4, "MINE", 150, 10, Content{}), `DATA:
  add partition 3 of 138 MiB as DATA-NEW [4 DATA-NEW 161-299 MINE 150-160]
  tell the kernel of partition 3
  make the file system DATA on partition 3
  rename partition 3 to DATA [4 DATA 161-299 MINE 150-160]
  mount partition 3 at /var
` + private},
		{"one copy of the table damaged", damaged(used(200, 200, 167)), "mend the partition table [3 DATA 32-199]\nDATA:\n  mount partition 3 at /var\n" + private},
		{"after a power cut", image(200, 200).with(3, "DATA", 32, 167, system("DATA", 167).unclean()), "DATA:\n  check the file system of partition 3\n  mount partition 3 at /var\n" + private},
		{"with errors", image(200, 200).with(3, "DATA", 32, 167, system("DATA", 167).faulty()), "DATA:\n  check the file system of partition 3\n  mount partition 3 at /var\n" + private},
		{"superblock damaged", image(200, 200).with(3, "DATA", 32, 167, Content{Fault: errors.New("checksum")}), "DATA:\n  check the file system of partition 3\n  mount partition 3 at /var\n" + private},
		{"unknown to the kernel", cut(used(200, 200, 167)), "DATA:\n  tell the kernel of partition 3\n  mount partition 3 at /var\n" + private},
		{"without a partition", free(image(33, 200), system("DATA", 100)), `DATA:
  add partition 3 for the file system DATA that is there [3 DATA 33-199]
  tell the kernel of partition 3
  mount partition 3 at /var
` + private + "data-found: the file system DATA was found without a partition, as it is when the image was written over the disk of a node\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, text(tt.state.Plan())); diff != "" {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing is written over: what is not understood is left alone.
func TestPlanLost(t *testing.T) {
	tests := []struct {
		name  string
		state State
		want  string
	}{
		{"no room", image(33, 33), "DATA:\n  data-not-made: the disk has 0 MiB left for DATA\n" + private},
		{"little room", image(97, 97), "DATA:\n  data-not-made: the disk has 63 MiB left for DATA\n" + private},
		{"no room and one copy damaged", damaged(image(33, 33)), "mend the partition table [2]\nDATA:\n  data-not-made: the disk has 0 MiB left for DATA\n" + private},
		{"something in the room", free(image(200, 200), Content{Other: "xfs"}), "DATA:\n  data-not-made: there is something (xfs) where DATA would be made\n" + private},
		{"another file system in the room", free(image(200, 200), system("HOME", 10)), "DATA:\n  data-not-made: there is an ext4 file system \"HOME\" where DATA would be made\n" + private},
		{"larger DATA in the room", free(image(200, 200), system("DATA", 167)), "DATA:\n  data-not-made: there is an ext4 file system \"DATA\" where DATA would be made\n" + private},
		{"room unreadable", free(image(200, 200), Content{Fault: errors.New("I/O error")}), "DATA:\n  data-not-made: it cannot be told what is where DATA would be made: I/O error\n" + private},
		{"DATA empty", image(200, 200).with(3, "DATA", 32, 167, Content{}), "DATA:\n  data-lost: partition DATA has no file system\n" + private},
		{"DATA empty on a larger disk", image(200, 300).with(3, "DATA", 32, 167, Content{}), `mend the partition table [3 DATA 32-199]
DATA:
  data-lost: partition DATA has no file system
` + private},
		{"DATA is something else", image(200, 200).with(3, "DATA", 32, 167, Content{Other: "LUKS"}), "DATA:\n  data-lost: partition DATA has something else than its file system: LUKS\n" + private},
		{"two of DATA", used(200, 200, 100).with(4, "DATA", 132, 60, system("DATA", 60)), "DATA:\n  data-lost: partition DATA: several partitions have this name\n" + private},
		{"two of DATA-NEW", image(200, 200).with(3, "DATA-NEW", 32, 50, Content{}).with(4, "DATA-NEW", 82, 50, Content{}), "DATA:\n  data-not-made: partition DATA-NEW: several partitions have this name\n" + private},
		{"elsewhere for the kernel", moved(used(200, 200, 167), 3), "DATA:\n  data-lost: the kernel has partition 3 at byte 1048576, the table at 33554432\n" + private},
		{"PRIVATE empty", emptied(used(200, 200, 167), 2), "DATA:\n  mount partition 3 at /var\nPRIVATE:\n  private-lost: partition PRIVATE has no file system\n"},
		{"no PRIVATE", renamed(used(200, 200, 167), 2), "DATA:\n  mount partition 3 at /var\nPRIVATE:\n  private-lost: the disk has no partition PRIVATE\n"},
		{"no table", State{Sector: sector, Fault: errors.New("none there")}, "DATA:\n  data-lost: the disk has no partition table\n" +
			"PRIVATE:\n  private-lost: the disk has no partition table\npartition-table: the partition table cannot be read: none there\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan := tt.state.Plan()
			if diff := cmp.Diff(tt.want, text(plan)); diff != "" {
				t.Errorf("Plan (-want +got):\n%s", diff)
			}
			for _, v := range plan.Volumes {
				if v.Lost != nil && (v.Lost.Hint == "" || len(v.Steps) > 0 || v.Dir == "") {
					t.Errorf("volume %s is lost, and has the hint %q, %d steps and the directory %q", v.Name, v.Lost.Hint, len(v.Steps), v.Dir)
				}
			}
		})
	}
}

// cut makes the kernel not know partition 3.
func cut(s State) State { delete(s.Kernel, 3); return s }

func damaged(s State) State { s.Written = false; return s }

func free(s State, c Content) State { s.Free = c; return s }

func emptied(s State, number int) State { s.Contents[number] = Content{}; return s }

func renamed(s State, number int) State { s.Table.Partitions[number-1].Name = "x"; return s }

func moved(s State, number int) State {
	s.Kernel[number] = Extent{mebibyte, s.Kernel[number].Size}
	return s
}

// stale gives a partition the size it had before it grew, as the kernel and its
// file system have it.
func stale(s State, number int, size int64) State {
	s.Kernel[number] = Extent{s.Kernel[number].Start, size * mebibyte}
	s.Contents[number] = system("DATA", size)
	return s
}
