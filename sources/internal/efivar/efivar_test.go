package efivar_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/sources/internal/efivar"
)

func vars(t *testing.T, values map[string]string) efivar.Vars {
	t.Helper()
	v := efivar.Vars{Dir: t.TempDir()}
	for name, value := range values {
		if err := os.WriteFile(filepath.Join(v.Dir, name), []byte("\x07\x00\x00\x00"+value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestRead(t *testing.T) {
	v := vars(t, map[string]string{
		"SecureBoot-" + efivar.Global:          "\x01",
		"StubImageIdentifier-" + efivar.Loader: "\\\x00E\x00F\x00I\x00\x00\x00",
	})
	if got := v.Text("StubImageIdentifier", efivar.Loader); got != `\EFI` {
		t.Errorf("Text = %q, want %q", got, `\EFI`)
	}
	if !v.SecureBoot() {
		t.Error("SecureBoot = false, want true")
	}
	if _, err := v.Read("db", efivar.Security); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of what is not there: %v, want fs.ErrNotExist", err)
	}
	if (efivar.Vars{Dir: "/nowhere"}).SecureBoot() {
		t.Error("SecureBoot without such a firmware = true, want false")
	}
}

// carry writes what Repeat says, and returns how many writes there were.
func carry(t *testing.T, v efivar.Vars, want efivar.Option, cut int) int {
	t.Helper()
	o, err := v.Options()
	if err != nil {
		t.Fatal(err)
	}
	writes := o.Repeat(want, 3)
	for i, w := range writes {
		if i == cut {
			break
		}
		if err := v.Write(w.Name, efivar.Global, w.Data); err != nil {
			t.Fatalf("Write %s: %v", w.Name, err)
		}
	}
	return len(writes)
}

// The loader stands so often before what else the firmware would start, also when
// the power was cut before; and nothing is written twice.
func TestRepeat(t *testing.T) {
	want := efivar.Option{
		Active: true, Name: "Bulkhead", File: `\EFI\systemd\systemd-bootx64.efi`,
		Partition: efivar.Partition{Number: 1, Start: 2048, Sectors: 4 << 20, ID: [16]byte{1, 2, 3}},
	}
	network := "\x01\x00\x00\x00\x04\x00N\x00e\x00t\x00\x00\x00\x7f\xff\x04\x00"
	for cut := range 5 {
		t.Run(fmt.Sprintf("cut before write %d", cut), func(t *testing.T) {
			v := vars(t, map[string]string{"Boot0001-" + efivar.Global: network, "BootOrder-" + efivar.Global: "\x01\x00"})
			if n := carry(t, v, want, cut); n != 4 {
				t.Errorf("Repeat gives %d writes, want 3 entries and the order", n)
			}
			carry(t, v, want, -1)
			if n := carry(t, v, want, -1); n != 0 {
				t.Errorf("Repeat gives %d writes when all is done, want none", n)
			}
			o, err := v.Options()
			if err != nil {
				t.Fatal(err)
			}
			var got []efivar.Option
			for _, n := range o.Order {
				x, ok := o.Find(n)
				if !ok {
					t.Errorf("the order names %04X, which is not there", n)
				}
				got = append(got, x)
			}
			wanted := []efivar.Option{want, want, want, {Number: 1, Active: true, Name: "Net"}}
			for i := range 3 {
				wanted[i].Number, wanted[i].Name = []uint16{0, 2, 3}[i], fmt.Sprintf("Bulkhead %d", i+1)
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("entries in the order of trying (-want +got):\n%s", diff)
			}
			if len(o.All) != 4 {
				t.Errorf("there are %d entries, want 4", len(o.All))
			}
		})
	}
}

func TestRemove(t *testing.T) {
	v := vars(t, map[string]string{"LoaderEntryDefault-" + efivar.Loader: "x"})
	for range 2 {
		if err := v.Remove("LoaderEntryDefault", efivar.Loader); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x04\x00N\x00\x00\x00\x7f\xff\x04\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := vars(t, map[string]string{"Boot0000-" + efivar.Global: string(b), "BootOrder-" + efivar.Global: string(binary.LittleEndian.AppendUint16(nil, 0))})
		o, err := v.Options()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(o.Repeat(efivar.Option{Active: true, Name: "x", File: `\x`}, 2)); n == 0 {
			t.Error("Repeat finds our entries among those of others")
		}
	})
}
