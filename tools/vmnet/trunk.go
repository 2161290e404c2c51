package vmnet

import (
	"encoding/binary"
	"io"
	"net"
)

// Where a tag of IEEE 802.1Q stands in a frame, what says that there is one, and
// how long it is.
const (
	tagAt   = 12
	tagType = 0x8100
	tagSize = 4
)

// A trunk is a cable over which all frames go with the tag of a VLAN.
type trunk struct {
	net.Conn
	id   uint16
	rest []byte // of the last frame, for who reads
}

// Trunk returns a cable whose machine is connected to the VLAN with the number id
// only: what it sends without that tag is lost.
func Trunk(wire net.Conn, id uint16) net.Conn { return &trunk{Conn: wire, id: id} }

// Read gives what comes with the tag, without it.
func (t *trunk) Read(b []byte) (int, error) {
	for len(t.rest) == 0 {
		frame, err := t.receive()
		if err != nil {
			return 0, err
		}
		if len(frame) < tagAt+tagSize || binary.BigEndian.Uint16(frame[tagAt:]) != tagType || binary.BigEndian.Uint16(frame[tagAt+2:])&0xfff != t.id {
			continue
		}
		t.rest = binary.BigEndian.AppendUint32(nil, uint32(len(frame)-tagSize))
		t.rest = append(append(t.rest, frame[:tagAt]...), frame[tagAt+tagSize:]...)
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *trunk) receive() ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(t.Conn, size); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size))
	_, err := io.ReadFull(t.Conn, frame)
	return frame, err
}

// Write takes one frame with its length, and sends it with the tag.
func (t *trunk) Write(b []byte) (int, error) {
	const length = 4
	if len(b) < length+tagAt {
		return t.Conn.Write(b)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(b)-length+tagSize))
	out = append(out, b[length:length+tagAt]...)
	out = binary.BigEndian.AppendUint16(out, tagType)
	out = binary.BigEndian.AppendUint16(out, t.id)
	out = append(out, b[length+tagAt:]...)
	if _, err := t.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
