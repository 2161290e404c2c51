package vm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArguments(t *testing.T) {
	e := Emulator{dir: "/tree", accel: TCG}
	tests := []struct {
		name    string
		machine Machine
		accel   Accelerator
		want    []string // each somewhere, as options with their values
		not     []string
	}{
		{
			name:    "least",
			machine: Machine{Name: "a", Dir: "/d"},
			want: []string{
				"-accel tcg,thread=multi -cpu max", "-smp 2", "-m 2048",
				"-drive if=pflash,unit=0,format=raw,readonly=on,file=/tree/usr/share/OVMF/OVMF_CODE_4M.fd",
				"-drive if=pflash,unit=1,format=raw,file=/d/efivars.fd",
			},
			not: []string{"-kernel", "-no-reboot", "virtio-blk", "-smbios", "-netdev", "-rtc", "smm"},
		},
		{
			name:    "KVM",
			machine: Machine{CPUs: 1, Memory: 512, OnReboot: TurnOff},
			accel:   KVM,
			want:    []string{"-accel kvm -cpu host", "-smp 1", "-m 512", "-no-reboot"},
		},
		{
			name: "kernel and disks",
			machine: Machine{
				Kernel: &Kernel{Image: "/k", Initrd: "/i,1", Cmdline: "a, b"},
				Disks:  []Disk{{Path: "/x,y"}, {Path: "/z", Write: Forget}},
			},
			want: []string{
				"-kernel /k -append a, b -initrd /i,,1",
				"-drive if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,file=/x,,y -device virtio-blk-pci,drive=disk0,bootindex=1",
				"-drive if=none,id=disk1,format=raw,cache=unsafe,discard=unmap,file=/z,snapshot=on -device virtio-blk-pci,drive=disk1,bootindex=2",
			},
			not: []string{"pflash"},
		},
		{
			name:    "credentials in order",
			machine: Machine{Dir: "/d,e", Credentials: map[string]string{"b": "1,2", "a": "3"}},
			want:    []string{"-smbios type=11,path=/d,,e/credential.a -smbios type=11,path=/d,,e/credential.b"},
			not:     []string{"1,2", "1,,2"},
		},
		{
			name:    "network",
			machine: Machine{NIC: &NIC{MAC: "52:54:00:00:00:01"}},
			want: []string{
				"-netdev stream,id=net0,server=off,addr.type=fd,addr.str=4 -device virtio-net-pci,romfile=,netdev=net0,mac=52:54:00:00:00:01",
				"-fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n",
			},
		},
		{
			name:    "two cards, and a clock that is wrong",
			machine: Machine{NIC: &NIC{MAC: "52:54:00:00:00:01"}, More: []NIC{{MAC: "52:54:00:00:00:02"}}, Clock: "2016-01-02T03:04:05"},
			want: []string{
				"-rtc base=2016-01-02T03:04:05", "addr.str=4 -device virtio-net-pci,romfile=,netdev=net0,mac=52:54:00:00:00:01",
				"-netdev stream,id=net1,server=off,addr.type=fd,addr.str=5 -device virtio-net-pci,romfile=,netdev=net1,mac=52:54:00:00:00:02",
			},
		},
		{
			name:    "credentials by device, of another maker",
			machine: Machine{Dir: "/d", Credentials: map[string]string{"a": "3"}, ByDevice: true, Maker: "A, Inc."},
			want:    []string{"-fw_cfg name=opt/io.systemd.credentials/a,file=/d/credential.a -smbios type=1,manufacturer=A,, Inc."},
			not:     []string{"type=11"},
		},
		{
			name:    "Secure Boot",
			machine: Machine{Dir: "/d", SecureBoot: "/keys.fd"},
			want: []string{
				"-machine smm=on -global driver=cfi.pflash01,property=secure,value=on",
				"file=/tree/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "file=/d/efivars.fd",
			},
			not: []string{"OVMF_CODE_4M.fd", "/keys.fd"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := e
			if tt.accel != "" {
				e.accel = tt.accel
			}
			got := strings.Join(tt.machine.arguments(e), " ")
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("arguments have no %q:\n%s", want, got)
				}
			}
			if i := slices.IndexFunc(tt.not, func(s string) bool { return strings.Contains(got, s) }); i >= 0 {
				t.Errorf("arguments have %q:\n%s", tt.not[i], got)
			}
		})
	}
}

// What the firmware remembers is made once and then kept.
func TestPrepare(t *testing.T) {
	tree, dir := t.TempDir(), filepath.Join(t.TempDir(), "a")
	e := Emulator{dir: tree}
	fresh := filepath.Join(tree, filepath.FromSlash(firmwareVariables))
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(fresh, "fresh")
	m := Machine{Dir: dir}
	for _, want := range []string{"fresh", "used"} {
		if err := m.prepare(e); err != nil {
			t.Fatalf("prepare: %v", err)
		}
		got, err := os.ReadFile(m.variables())
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("variables of the firmware: %v (-want +got):\n%s", err, diff)
		}
		write(m.variables(), "used")
	}
	if err := (Machine{Dir: t.TempDir(), Kernel: &Kernel{}}).prepare(Emulator{dir: "/nowhere"}); err != nil {
		t.Errorf("prepare of a machine without firmware: %v", err)
	}
}
