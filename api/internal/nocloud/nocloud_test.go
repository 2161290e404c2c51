package nocloud_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/internal/nocloud"
)

var media = []struct {
	name  string
	write func([]nocloud.File) ([]byte, error)
	read  func(*testing.T, []byte) (string, map[string]string)
	label string
}{
	{"ISO", nocloud.ISO, readISO, "cidata"},
	{"FAT", nocloud.FAT, readFAT, "CIDATA"},
}

func TestMedia(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<15)
	tests := []struct {
		name  string
		files map[string]string
	}{
		{"nothing", map[string]string{}},
		{"usual", map[string]string{"user-data": "[settings]\n", "meta-data": "instance-id: x\n"}},
		{"empty and long", map[string]string{"user-data": long, "meta-data": "", "network-config": "version: 2\n", "a-name-with-26-letters-ab": "x"}},
		{"full blocks", map[string]string{"user-data": long[:4096], "meta-data": long[:2048], "vendor-data": long[:4097]}},
		{"twelve megabytes", map[string]string{"user-data": strings.Repeat("x", 12<<20)}},
	}
	for _, m := range media {
		for _, tt := range tests {
			t.Run(m.name+" "+tt.name, func(t *testing.T) {
				var files []nocloud.File
				for name, text := range tt.files {
					files = append(files, nocloud.File{Name: name, Data: []byte(text)})
				}
				img, err := m.write(files)
				if err != nil {
					t.Fatal(err)
				}
				label, got := m.read(t, img)
				if label != m.label {
					t.Errorf("label %q, want %q", label, m.label)
				}
				if diff := cmp.Diff(tt.files, got); diff != "" {
					t.Errorf("files (-want +got):\n%.2000s", diff)
				}
				again, err := m.write(files)
				if err != nil || !bytes.Equal(img, again) {
					t.Errorf("written again: other bytes, %v", err)
				}
			})
		}
	}
}

func TestMediaRefuse(t *testing.T) {
	tests := []struct {
		name string
		in   []nocloud.File
		want string
	}{
		{"name", []nocloud.File{{Name: "User"}}, `file name "User" is not of small letters, digits and hyphens, with 1 to 26 of them`},
		{"no name", []nocloud.File{{}}, `file name "" is not of small letters, digits and hyphens, with 1 to 26 of them`},
		{"twice", []nocloud.File{{Name: "a"}, {Name: "a"}}, "file a is given twice"},
		{"large", []nocloud.File{{Name: "a", Data: make([]byte, 12<<20+1)}}, "1 files with 12582913 bytes, want at most 8 with 12582912"},
	}
	for _, m := range media {
		for _, tt := range tests {
			if _, err := m.write(tt.in); err == nil || err.Error() != tt.want {
				t.Errorf("%s of %s: error %v, want %s", m.name, tt.name, err, tt.want)
			}
		}
	}
}

// readISO reads an image as the kernel does: names by Rock Ridge.
func readISO(t *testing.T, img []byte) (string, map[string]string) {
	t.Helper()
	le := binary.LittleEndian
	volume := img[16*2048:]
	if string(volume[:6]) != "\x01CD001" || string(img[17*2048:][:6]) != "\xffCD001" {
		t.Fatal("no volume descriptors")
	}
	if n := le.Uint32(volume[80:]); int(n)*2048 != len(img) || n != binary.BigEndian.Uint32(volume[84:]) {
		t.Errorf("volume of %d sectors in %d bytes", n, len(img))
	}
	files := map[string]string{}
	dir := img[le.Uint32(volume[156+2:])*2048:][:2048]
	for at := 0; dir[at] != 0; at += int(dir[at]) {
		r := dir[at:][:dir[at]]
		if r[25]&2 != 0 {
			continue
		}
		use := r[33+int(r[32])+1-int(r[32])%2:]
		for len(use) > 4 {
			if string(use[:2]) == "NM" {
				start := int(le.Uint32(r[2:])) * 2048
				files[string(use[5:use[2]])] = string(img[start:][:le.Uint32(r[10:])])
			}
			use = use[use[2]:]
		}
	}
	return strings.TrimSpace(string(volume[40:72])), files
}

// readFAT reads an image with the names that belong to short ones.
func readFAT(t *testing.T, img []byte) (label string, files map[string]string) {
	t.Helper()
	le := binary.LittleEndian
	table := img[512:]
	tableSize := int(le.Uint16(img[22:])) * 512
	if !bytes.Equal(table[:tableSize], table[tableSize:2*tableSize]) {
		t.Error("the tables differ")
	}
	total := int(le.Uint16(img[19:])) + int(le.Uint32(img[32:]))
	if total*512 != len(img) {
		t.Errorf("%d sectors in %d bytes", total, len(img))
	}
	cluster := int(img[13]) * 512
	dir := table[2*tableSize:]
	data := dir[int(le.Uint16(img[17:]))*32:]
	next := func(c int) int {
		v := int(le.Uint16(table[c*3/2:]))
		if c%2 == 1 {
			return v >> 4
		}
		return v & 0xFFF
	}
	files = map[string]string{}
	long := ""
	for ; dir[0] != 0; dir = dir[32:] {
		switch dir[11] {
		case 0x08:
			label = strings.TrimSpace(string(dir[:11]))
		case 0x0F:
			part := ""
			for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
				if c := le.Uint16(dir[at:]); c != 0 && c != 0xFFFF {
					part += string(rune(c))
				}
			}
			long = part + long
		default:
			var b []byte
			size := int(le.Uint32(dir[28:]))
			for c := int(le.Uint16(dir[26:])); size > 0 && c < 0xFF8; c = next(c) {
				b = append(b, data[(c-2)*cluster:][:cluster]...)
			}
			files[long], long = string(b[:size]), ""
		}
	}
	return label, files
}
