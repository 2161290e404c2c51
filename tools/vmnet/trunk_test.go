package vmnet

import (
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// framed puts the length in front of a frame.
func framed(frame ...[]byte) []byte {
	f := slices.Concat(frame...)
	return append([]byte{0, 0, 0, byte(len(f))}, f...)
}

// A trunk takes the tag off what comes, loses what has another one or none, and
// puts it on what goes.
func TestTrunk(t *testing.T) {
	addresses, content := []byte("to....from.."), []byte{8, 0, 'h', 'i'}
	plain, tagged := framed(addresses, content), framed(addresses, []byte{0x81, 0, 0, 7}, content)
	urgent := framed(addresses, []byte{0x81, 0, 0xe0, 7}, content)
	other := framed(addresses, []byte{0x81, 0, 0, 8}, content)
	inside, outside := net.Pipe()
	defer inside.Close()
	trunk := Trunk(inside, 7)
	go func() { _, _ = outside.Write(slices.Concat(plain, other, framed([]byte("short")), tagged, urgent)) }()
	for _, name := range []string{"with the tag", "with the tag and a priority"} {
		got := make([]byte, len(plain))
		for n := 0; n < len(got); {
			more, err := trunk.Read(got[n:min(n+7, len(got))])
			must(t, err)
			n += more
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Errorf("frame %s (-want +got):\n%s", name, diff)
		}
	}
	sent := make(chan error, 1)
	go func() {
		n, err := trunk.Write(plain)
		if n != len(plain) {
			t.Errorf("Write of %d bytes = %d", len(plain), n)
		}
		sent <- err
	}()
	got := make([]byte, len(tagged))
	n, err := outside.Read(got)
	must(t, err)
	must(t, <-sent)
	if diff := cmp.Diff(tagged, got[:n]); diff != "" {
		t.Errorf("what is sent (-want +got):\n%s", diff)
	}
	must(t, outside.Close())
	if _, err := trunk.Read(got); err == nil {
		t.Error("Read of a cable that is gone: no error")
	}
}
