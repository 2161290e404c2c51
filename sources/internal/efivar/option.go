package efivar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// An Option is an entry of the firmware: something that it may start.
type Option struct {
	Number uint16
	Active bool
	Name   string
	// Partition and File are set where the option is a file on a partition of a
	// disk with a partition table.
	Partition Partition
	File      string // with backslashes
}

// A Partition is what an option says of one.
type Partition struct {
	Number         uint32
	Start, Sectors uint64
	ID             [16]byte // as on the disk
}

// Parts of an option and of a device path (UEFI specification, "Load Options"
// and "Device Path Protocol").
const (
	optionActive = 1

	nodeMedia     = 4
	nodeDisk      = 1
	nodeFile      = 4
	nodeEnd       = 0x7f
	nodeEndAll    = 0xff
	diskNodeSize  = 42
	diskFormatGPT = 2
	diskIDIsGUID  = 2
)

// parseOption reads the value of a variable Boot####.
func parseOption(number uint16, b []byte) (Option, error) {
	if len(b) < 8 {
		return Option{}, errors.New("it is too short")
	}
	le := binary.LittleEndian
	o := Option{Number: number, Active: le.Uint32(b)&optionActive != 0, Name: decodeText(b[6:])}
	length := int(le.Uint16(b[4:]))
	rest := b[6:]
	for {
		if len(rest) < 2 {
			return o, errors.New("its name has no end")
		}
		end := rest[0] == 0 && rest[1] == 0
		rest = rest[2:]
		if end {
			break
		}
	}
	if length > len(rest) {
		return o, errors.New("its path is too short")
	}
	o.readPath(rest[:length])
	return o, nil
}

func (o *Option) readPath(path []byte) {
	le := binary.LittleEndian
	for len(path) >= 4 {
		kind, sub, size := path[0], path[1], int(le.Uint16(path[2:]))
		if size < 4 || size > len(path) || kind == nodeEnd {
			return
		}
		switch {
		case kind == nodeMedia && sub == nodeDisk && size == diskNodeSize && path[41] == diskIDIsGUID:
			o.Partition = Partition{le.Uint32(path[4:]), le.Uint64(path[8:]), le.Uint64(path[16:]), [16]byte(path[24:])}
		case kind == nodeMedia && sub == nodeFile:
			o.File += decodeText(path[4:size])
		}
		path = path[size:]
	}
}

// encode returns o as the value of a variable: a path that begins with the
// partition, which the firmware completes.
func (o Option) encode() []byte {
	le := binary.LittleEndian
	var path []byte
	path = append(path, nodeMedia, nodeDisk, diskNodeSize, 0)
	path = le.AppendUint32(path, o.Partition.Number)
	path = le.AppendUint64(path, o.Partition.Start)
	path = le.AppendUint64(path, o.Partition.Sectors)
	path = append(path, o.Partition.ID[:]...)
	path = append(path, diskFormatGPT, diskIDIsGUID)
	file := encodeText(o.File)
	path = append(path, nodeMedia, nodeFile)
	path = le.AppendUint16(path, uint16(4+len(file)))
	path = append(path, file...)
	path = append(path, nodeEnd, nodeEndAll, 4, 0)

	b := le.AppendUint32(nil, optionActive)
	b = le.AppendUint16(b, uint16(len(path)))
	b = append(b, encodeText(o.Name)...)
	return append(b, path...)
}

// Options are the entries of a firmware.
type Options struct {
	All     []Option
	Order   []uint16 // of trying
	Current uint16   // by which this boot came
}

var optionName = regexp.MustCompile(`^Boot([0-9A-F]{4})-` + Global + `$`)

// Options returns the entries of the firmware. Those that cannot be read are left
// out. Without such a firmware the error is fs.ErrNotExist.
func (v Vars) Options() (Options, error) {
	var o Options
	entries, err := os.ReadDir(v.Dir)
	if err != nil {
		return o, err
	}
	for _, e := range entries {
		m := optionName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		n, err := strconv.ParseUint(m[1], 16, 16)
		if err != nil {
			return o, err
		}
		data, err := v.Read("Boot"+m[1], Global)
		if err != nil {
			continue
		}
		if option, err := parseOption(uint16(n), data); err == nil {
			o.All = append(o.All, option)
		}
	}
	if data, err := v.Read("BootOrder", Global); err == nil {
		o.Order = numbers(data)
	}
	if data, err := v.Read("BootCurrent", Global); err == nil && len(data) == 2 {
		o.Current = binary.LittleEndian.Uint16(data)
	}
	return o, nil
}

func numbers(b []byte) []uint16 {
	var out []uint16
	for ; len(b) >= 2; b = b[2:] {
		out = append(out, binary.LittleEndian.Uint16(b))
	}
	return out
}

// Find returns the option with a number.
func (o Options) Find(number uint16) (Option, bool) {
	i := slices.IndexFunc(o.All, func(x Option) bool { return x.Number == number })
	if i < 0 {
		return Option{}, false
	}
	return o.All[i], true
}

// A Write is a new value of a variable of the specification's.
type Write struct {
	Name string
	Data []byte
	Why  string
}

// Repeat returns what makes the firmware try the file of want count times before
// anything else. A loader whose program the firmware refuses gives up, and the
// firmware then goes on to its next entry: that has to be the loader again, and
// not the network. Entries of others stay behind ours. The order is written last:
// before that, nothing has changed.
func (o Options) Repeat(want Option, count int) []Write {
	var ours, others []uint16
	for _, n := range o.Order {
		x, ok := o.Find(n)
		if ok && x.Active && x.Partition == want.Partition && x.File == want.File && len(ours) < count {
			ours = append(ours, n)
		} else {
			others = append(others, n)
		}
	}
	var writes []Write
	for n := uint16(0); len(ours) < count; n++ {
		old, taken := o.Find(n)
		left := taken && !slices.Contains(o.Order, n) && old.Partition == want.Partition && old.File == want.File && old.Active
		if taken && !left {
			continue
		}
		if !left { // else it is of a run that was cut off
			x := want
			x.Name = fmt.Sprintf("%s %d", want.Name, len(ours)+1)
			writes = append(writes, Write{fmt.Sprintf("Boot%04X", n), x.encode(), "start " + want.File})
		}
		ours = append(ours, n)
	}
	order := slices.Concat(ours, others)
	if slices.Equal(order, o.Order) {
		return nil
	}
	var b bytes.Buffer
	for _, n := range order {
		_ = binary.Write(&b, binary.LittleEndian, n) // to memory
	}
	return append(writes, Write{"BootOrder", b.Bytes(), "the loader comes first"})
}
