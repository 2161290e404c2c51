package disknames

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An adminCommand is how the kernel is given a command for an NVMe controller.
type adminCommand struct {
	opcode   uint8
	flags    uint8
	_        uint16
	nsid     uint32
	_, _     uint32
	metadata uint64
	addr     uint64
	metaLen  uint32
	dataLen  uint32
	cdw      [6]uint32 // the command's own words, from the tenth on
	timeout  uint32    // milliseconds
	result   uint32
}

const (
	adminIoctl         = 0xc0484e41
	identifyCommand    = 0x06
	identifyController = 1
	answerTime         = 5000
)

// identify returns what the controller of the disk at path says of itself.
func identify(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, identitySize)
	cmd := adminCommand{opcode: identifyCommand, dataLen: identitySize, cdw: [6]uint32{identifyController}, timeout: answerTime}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&data[0]) // the kernel is given its address as a number
	cmd.addr = uint64(uintptr(unsafe.Pointer(&data[0])))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), adminIoctl, uintptr(unsafe.Pointer(&cmd))); errno != 0 {
		return nil, errno
	}
	return data, nil
}
