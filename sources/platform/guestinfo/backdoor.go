package guestinfo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

// registers are what a program gives to the port, and gets from it. Their lower
// and upper halves mean different things.
type registers struct{ ax, bx, cx, dx, si, di uint32 }

// A port exchanges registers with the hypervisor.
type port func(*registers)

const (
	magic  = 0x564d5868 // in ax
	number = 0x5658     // of the port, in dx
	rpci   = 0x49435052 // the protocol of commands from the guest
	cookie = 0x80000000 // nobody else uses our channel

	getVersion = 10 // in cx
	message    = 30 // in cx, with what to do above
)

// What to do with a message, above message in cx.
const (
	open = iota << 16
	sendLength
	send
	receiveLength
	receive
	received
	end
)

// What the hypervisor says, in the upper half of cx.
const (
	success    = 1
	hasAnswer  = 2
	checkpoint = 0x10 // the machine was moved: say it all again
)

// tries is how often a message is sent that a move of the machine has lost.
const tries = 5

// errMoved says that the machine was moved while a message was under way.
var errMoved = errors.New("the machine was moved to another host meanwhile")

// A channel carries commands to the hypervisor.
type channel struct {
	port   port
	number uint32 // as it stands in dx
	si, di uint32 // who uses it
}

// do has the hypervisor do something with the message, and returns its status.
func (c *channel) do(what, bx uint32) (registers, uint32) {
	r := registers{ax: magic, bx: bx, cx: message | what, dx: number | c.number, si: c.si, di: c.di}
	c.port(&r)
	return r, r.cx >> 16
}

// openChannel opens a channel, without a secret where the hypervisor is too old
// for those.
func openChannel(p port) (*channel, error) {
	for _, protocol := range []uint32{rpci | cookie, rpci} {
		c := &channel{port: p}
		if r, status := c.do(open, protocol); status&success != 0 {
			c.number = r.dx &^ 0xffff
			if protocol&cookie != 0 {
				c.si, c.di = r.si, r.di
			}
			return c, nil
		}
	}
	return nil, errors.New("the hypervisor opens no channel")
}

func (c *channel) close() { c.do(end, 0) }

// fault returns what a status means that is not success.
func fault(doing string, status uint32) error {
	if status&checkpoint != 0 {
		return errMoved
	}
	return fmt.Errorf("%s: the hypervisor refuses with status %#x", doing, status)
}

// send sends a message in pieces of four bytes.
func (c *channel) send(ctx context.Context, text string) error {
	if _, status := c.do(sendLength, uint32(len(text))); status&success == 0 {
		return fault("send", status)
	}
	for len(text) > 0 {
		var piece [4]byte
		text = text[copy(piece[:], text):]
		if _, status := c.do(send, binary.LittleEndian.Uint32(piece[:])); status&success == 0 {
			return fault("send", status)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// receive returns the answer to what was sent.
func (c *channel) receive(ctx context.Context) ([]byte, error) {
	r, status := c.do(receiveLength, 0)
	switch {
	case status&success == 0:
		return nil, fault("receive", status)
	case status&hasAnswer == 0:
		return nil, errors.New("receive: the hypervisor has no answer")
	case r.dx>>16 != sendLength>>16:
		return nil, fmt.Errorf("receive: the hypervisor sends %#x, want a length", r.dx>>16)
	case r.bx > platform.MaxBytes:
		return nil, platform.ErrTooLarge
	}
	var out []byte
	for length := r.bx; uint32(len(out)) < length; {
		r, status := c.do(receive, success)
		if status&success == 0 {
			return nil, fault("receive", status)
		}
		out = binary.LittleEndian.AppendUint32(out, r.bx)
		if uint32(len(out)) > length {
			out = out[:length]
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if _, status := c.do(received, success); status&success == 0 {
		return nil, fault("receive", status)
	}
	return out, nil
}

// A Backdoor is the Host of a machine in VMware.
type Backdoor struct{ port port }

// Call sends a command and returns the answer.
func (b Backdoor) Call(ctx context.Context, command string) ([]byte, error) {
	for i := 0; ; i++ {
		answer, err := b.once(ctx, command)
		if errors.Is(err, errMoved) && i < tries-1 {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch {
		case len(answer) >= 2 && answer[0] == '1' && answer[1] == ' ':
			return answer[2:], nil
		case len(answer) >= 1 && answer[0] == '0':
			return nil, ErrNotSet
		}
		return nil, fmt.Errorf("the hypervisor answers %.20q, want 0 or 1 first", answer)
	}
}

func (b Backdoor) once(ctx context.Context, command string) ([]byte, error) {
	c, err := openChannel(b.port)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.send(ctx, command); err != nil {
		return nil, err
	}
	return c.receive(ctx)
}

// present reports whether a hypervisor answers at the port.
func (b Backdoor) present() bool {
	r := registers{ax: magic, bx: ^uint32(magic), cx: getVersion, dx: number}
	b.port(&r)
	return r.bx == magic && r.ax != ^uint32(0)
}
