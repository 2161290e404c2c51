package devicemapper

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A command is one of the numbers of linux/dm-ioctl.h.
type command uint8

const (
	deviceCreate  command = 3
	deviceRemove  command = 4
	deviceSuspend command = 6
	tableLoad     command = 9
)

func (c command) String() string {
	switch c {
	case deviceCreate:
		return "create"
	case deviceRemove:
		return "remove"
	case deviceSuspend:
		return "resume"
	case tableLoad:
		return "load table"
	}
	return fmt.Sprintf("command %d", uint8(c))
}

// number returns what ioctl is called with: the request is read and written by
// the kernel, and its head has a known size.
func (c command) number() uintptr {
	const readWrite, deviceMapper = 3, 0xfd
	return readWrite<<30 | headSize<<16 | deviceMapper<<8 | uintptr(c)
}

const (
	flagReadOnly = 1 << 0
	headSize     = 312
	specSize     = 40
	deviceOffset = 40 // of the device number in the head
)

// head is struct dm_ioctl.
type head struct {
	Version     [3]uint32
	Size, Start uint32 // of the whole request; of what follows the head
	Targets     uint32
	_           int32
	Flags       uint32
	_           uint32
	_           uint32
	Device      uint64
	Name        [128]byte
	UUID        [129]byte
	_           [7]byte
}

// spec is struct dm_target_spec, which the parameters follow.
type spec struct {
	First, Sectors uint64
	_              int32
	Next           uint32
	Type           [16]byte
}

// creation returns the request that makes d. It alone names the UUID: in others
// the kernel refuses it beside the name.
func (d Device) creation() []byte {
	h := d.head(0, 0)
	copy(h.UUID[:len(h.UUID)-1], d.UUID)
	return encode(h)
}

// request returns a request about d that has nothing behind its head.
func (d Device) request(flags uint32) []byte { return encode(d.head(flags, 0)) }

// table returns the request that gives d its target.
func (d Device) table() []byte {
	params := append([]byte(d.Params), 0)
	for len(params)%8 != 0 {
		params = append(params, 0)
	}
	h := d.head(flagReadOnly, specSize+len(params))
	h.Targets = 1
	s := spec{Sectors: d.Sectors, Next: uint32(specSize + len(params))}
	copy(s.Type[:len(s.Type)-1], d.Target)
	return append(encode(h, s), params...)
}

func (d Device) head(flags uint32, more int) head {
	h := head{Version: [3]uint32{4, 0, 0}, Size: uint32(headSize + more), Start: headSize, Flags: flags}
	copy(h.Name[:len(h.Name)-1], d.Name)
	return h
}

func encode(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		if err := binary.Write(&b, binary.NativeEndian, p); err != nil {
			panic(err) // all of the parts have a fixed size
		}
	}
	return b.Bytes()
}

// answeredDevice returns the device number in an answer.
func answeredDevice(request []byte) uint64 {
	return binary.NativeEndian.Uint64(request[deviceOffset:])
}
