package initrd

import "testing"

func TestDefaultFree(t *testing.T) {
	for total, want := range map[uint64]uint64{
		0:          128,
		512 << 10:  2896,
		2020544:    5685,
		64 << 20:   32768,
		8192 << 20: 262144,
	} {
		if got := defaultFree(total); got != want {
			t.Errorf("defaultFree(%d kB) = %d kB, want %d", total, got, want)
		}
	}
}
