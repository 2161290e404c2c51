package storage

import (
	"fmt"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/sources/internal/disklayout"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

const (
	mebibyte = 1 << 20
	// align is what partitions begin and end at a multiple of.
	align = mebibyte
	// leastData is the least that DATA is made of.
	leastData = 64 * mebibyte
	// leastGrowth is the least that anything grows by. A file system may leave
	// less than that at the end of its partition unused.
	leastGrowth = 16 * mebibyte
)

// A Plan is what is done to a disk. Each of its steps can be repeated: a run
// that was cut off is completed by planning again.
type Plan struct {
	// Table mends and grows what is there. The volumes can do without.
	Table   []Step
	Volumes []Volume // in the order of their mounting
	Faults  []report.Fault
}

// A Volume is a partition, and where it is mounted.
type Volume struct {
	Name, Dir string
	// Lost says why the volume cannot be used; then it has no steps.
	Lost *report.Fault
	// Steps mount the volume. When one fails, the volume is lost for this boot.
	Steps []Step
	// Grow makes use of a partition that has grown. The volume can do without.
	Grow []Step
}

// planner makes the plan for a state.
type planner struct {
	State
	table   *gpt.Table // as it is to be, after the steps so far
	pending bool       // it is not yet written
	plan    Plan
}

// Plan returns what makes the disk what it should be. It depends on nothing
// else.
func (s State) Plan() Plan {
	if s.Table == nil {
		f := fault(codeTable, fmt.Sprintf("the partition table cannot be read: %v", s.Fault), "the disk was left as it is; see whether it fails")
		return Plan{Faults: []report.Fault{f}, Volumes: []Volume{
			lost(disklayout.Data, codeDataLost, "the disk has no partition table", hintData),
			lost(disklayout.Private, codePrivateLost, "the disk has no partition table", hintPrivate),
		}}
	}
	p := &planner{State: s, table: s.Table.Clone(), pending: !s.Written}
	data := p.data()
	private := p.private()
	if p.pending { // nothing of the volumes was to be written
		p.plan.Table = append([]Step{p.write("mend the partition table")}, p.plan.Table...)
	}
	p.plan.Volumes = []Volume{data, private}
	return p.plan
}

// write returns the step that writes the table as it now is to be.
func (p *planner) write(why string) Step {
	p.pending = false
	return WriteTable{Table: p.table.Clone(), Why: why}
}

// private mounts what the image brought. It is never made anew.
func (p *planner) private() Volume {
	i, err := p.table.Find(disklayout.Private)
	switch {
	case err != nil:
		return lost(disklayout.Private, codePrivateLost, err.Error(), hintPrivate)
	case i < 0:
		return lost(disklayout.Private, codePrivateLost, "the disk has no partition PRIVATE", hintPrivate)
	}
	part := p.table.Partitions[i]
	return p.use(part, p.Contents[part.Number], p.tellKernel(part))
}

// data mounts DATA, and makes it where the disk has never had one.
func (p *planner) data() Volume {
	made, err := p.table.Find(disklayout.Data)
	if err != nil {
		return lost(disklayout.Data, codeDataLost, err.Error(), hintData)
	}
	unused, err := p.table.Find(disklayout.NewData)
	switch {
	case err != nil:
		return lost(disklayout.Data, codeDataUnmade, err.Error(), hintUnmade)
	case made >= 0:
		return p.keep(made)
	case unused >= 0:
		return p.finish(unused)
	}
	return p.begin()
}

// keep uses the partition that there is, with the room that a larger disk gives.
func (p *planner) keep(i int) Volume {
	part := &p.table.Partitions[i]
	content := p.Contents[part.Number]
	if v := p.use(*part, content, nil); v.Lost != nil {
		return v // the partition stays as it is, too
	}
	if p.extend(part) {
		p.plan.Table = append(p.plan.Table, p.write(fmt.Sprintf("let partition %d take all of %d MiB", part.Number, p.bytes(part.Sectors())/mebibyte)))
	}
	tell := p.tellKernel(*part)
	if _, known := p.Kernel[part.Number]; known {
		// It can be mounted before it has grown.
		p.plan.Table = append(p.plan.Table, tell...)
		tell = nil
	}
	v := p.use(*part, content, tell)
	if s := content.System; s != nil {
		if blocks := p.bytes(part.Sectors()) / s.BlockSize; (blocks-int64(s.Blocks))*s.BlockSize >= leastGrowth {
			v.Grow = append(v.Grow, GrowSystem{Dir: v.Dir, Blocks: uint64(blocks)})
		}
	}
	return v
}

// begin makes the partition behind all others, unless something is there.
func (p *planner) begin() Volume {
	part := gpt.Partition{Name: disklayout.NewData, Type: disklayout.LinuxData(), ID: p.ID, First: roomBegins(p.table, p.Sector)}
	part.Last = p.endOfRoom(part)
	room := int64(0)
	if part.Last > part.First {
		room = p.bytes(part.Sectors())
	}
	found := p.Free.System
	switch {
	case room < leastData:
		return lost(disklayout.Data, codeDataUnmade, fmt.Sprintf("the disk has %d MiB left for DATA", room/mebibyte),
			fmt.Sprintf("give the node a disk that has at least %d MiB more; what runs on it keeps its data in memory until then", (leastData-room)/mebibyte+1))
	case found != nil && found.Label == disklayout.Data && found.Size() <= room:
		return p.adopt(part)
	case found != nil:
		return lost(disklayout.Data, codeDataUnmade, fmt.Sprintf("there is an ext4 file system %q where DATA would be made", found.Label), hintOccupied)
	case p.Free.Other != "":
		return lost(disklayout.Data, codeDataUnmade, fmt.Sprintf("there is something (%s) where DATA would be made", p.Free.Other), hintOccupied)
	case p.Free.Fault != nil:
		return lost(disklayout.Data, codeDataUnmade, fmt.Sprintf("it cannot be told what is where DATA would be made: %v", p.Free.Fault), hintOccupied)
	}
	number, err := p.table.Add(part)
	if err != nil {
		return lost(disklayout.Data, codeDataUnmade, err.Error(), hintUnmade)
	}
	write := p.write(fmt.Sprintf("add partition %d of %d MiB as %s", number, room/mebibyte, disklayout.NewData))
	i, _ := p.table.Find(disklayout.NewData) // it is the only one
	v := p.finish(i)
	v.Steps = append([]Step{write}, v.Steps...)
	return v
}

// adopt gives DATA its partition back: the file system is there, so the table
// was lost and made again, as by writing the image over an old disk.
func (p *planner) adopt(part gpt.Partition) Volume {
	part.Name = disklayout.Data
	number, err := p.table.Add(part)
	if err != nil {
		return lost(disklayout.Data, codeDataLost, err.Error(), hintData)
	}
	part.Number = number
	p.plan.Faults = append(p.plan.Faults, report.Fault{
		Severity: report.Info, Code: codeDataFound,
		Detail: "the file system DATA was found without a partition, as it is when the image was written over the disk of a node",
		Hint:   "its data is used again",
	})
	write := p.write(fmt.Sprintf("add partition %d for the file system DATA that is there", number))
	return p.use(part, p.Free, append([]Step{write}, p.tellKernel(part)...))
}

// finish makes the file system of a partition that nobody has used yet.
func (p *planner) finish(i int) Volume {
	part := &p.table.Partitions[i]
	v := Volume{Name: disklayout.Data, Dir: disklayout.DataDir}
	if p.extend(part) {
		v.Steps = append(v.Steps, p.write(fmt.Sprintf("let partition %d take all of %d MiB", part.Number, p.bytes(part.Sectors())/mebibyte)))
	}
	v.Steps = append(v.Steps, p.tellKernel(*part)...)
	v.Steps = append(v.Steps, MakeSystem{Number: part.Number, Label: disklayout.Data, Size: p.bytes(part.Sectors())})
	part.Name = disklayout.Data
	v.Steps = append(v.Steps,
		p.write(fmt.Sprintf("rename partition %d to %s", part.Number, disklayout.Data)), // the point of commitment
		Mount{Number: part.Number, Dir: v.Dir},
	)
	return v
}

// extend gives part the room behind it, if that is worth it.
func (p *planner) extend(part *gpt.Partition) bool {
	end := p.endOfRoom(*part)
	if end <= part.Last || p.bytes(end-part.Last) < leastGrowth {
		return false
	}
	part.Last = end
	return true
}

// use mounts a partition that is in use and has content, after the steps before.
func (p *planner) use(part gpt.Partition, content Content, before []Step) Volume {
	kind := kinds[part.Name]
	gone := func(detail string) Volume { return lost(part.Name, kind.code, detail, kind.hint) }
	if k, ok := p.Kernel[part.Number]; ok && k.Start != p.bytes(part.First) {
		return gone(fmt.Sprintf("the kernel has partition %d at byte %d, the table at %d", part.Number, k.Start, p.bytes(part.First)))
	}
	v := Volume{Name: part.Name, Dir: kind.dir, Steps: before}
	switch {
	case content.Empty():
		return gone(fmt.Sprintf("partition %s has no file system", part.Name))
	case content.Other != "":
		return gone(fmt.Sprintf("partition %s has something else than its file system: %s", part.Name, content.Other))
	case content.System == nil || content.System.Unclean || content.System.Faulty:
		v.Steps = append(v.Steps, CheckSystem{Number: part.Number, Name: part.Name})
	}
	v.Steps = append(v.Steps, Mount{Number: part.Number, Dir: v.Dir, NoExec: part.Name == disklayout.Private})
	return v
}

// kinds have what sets the volumes apart.
var kinds = map[string]struct {
	dir  string
	code report.Code // when it is lost
	hint string
}{
	disklayout.Data:    {disklayout.DataDir, codeDataLost, hintData},
	disklayout.Private: {disklayout.PrivateDir, codePrivateLost, hintPrivate},
}

// tellKernel makes the kernel have part as the table has it.
func (p *planner) tellKernel(part gpt.Partition) []Step {
	want := Extent{Start: p.bytes(part.First), Size: p.bytes(part.Sectors())}
	has, known := p.Kernel[part.Number]
	switch {
	case !known:
		return []Step{TellKernel{Number: part.Number, Extent: want, New: true}}
	case has.Start == want.Start && has.Size < want.Size:
		return []Step{TellKernel{Number: part.Number, Extent: want}}
	}
	return nil
}

func (p *planner) bytes(sectors uint64) int64 { return int64(sectors) * p.Sector }

// roomBegins returns the first sector of the room behind all partitions. An
// image ends with a copy of its table there: whoever writes it over the disk of a
// node again does not touch DATA.
func roomBegins(t *gpt.Table, sector int64) uint64 {
	first := t.First()
	for _, part := range t.Partitions {
		first = max(first, part.Last+1)
	}
	per := uint64(align / sector)
	return (first+per-1)/per*per + per
}

// endOfRoom returns the last sector that part could have.
func (p *planner) endOfRoom(part gpt.Partition) uint64 {
	end := p.table.Last() + 1
	for _, o := range p.table.Partitions {
		if o.First > part.First {
			end = min(end, o.First)
		}
	}
	return end/uint64(align/p.Sector)*uint64(align/p.Sector) - 1
}
