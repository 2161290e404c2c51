package medium

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bulkhead-os/bulkhead/sources/platform"
)

const text = "[settings]\nmotd = \"hi\"\n"

func TestProbe(t *testing.T) {
	wide := make([]byte, 4096)
	copy(wide[71:], "CIDATA     FAT32   ")
	wide[510], wide[511] = 0x55, 0xaa
	for i, v := range map[int]byte{12: 2, 13: 1, 14: 1, 16: 1, 36: 1, 44: 2} {
		wide[i] = v
	}
	copy(wide[1024:], "BULKHEAD   \x10")
	tests := []struct {
		name string
		disk []byte
		want volume
		ok   bool
	}{
		{name: "nothing"},
		{name: "zeros", disk: make([]byte, 1<<20)},
		{name: "ISO 9660", disk: isoImage("cidata", nil), want: volume{kind: "iso9660", label: "cidata"}, ok: true},
		{name: "ISO 9660 cut off", disk: isoImage("cidata", nil)[:32800]},
		{name: "FAT12", disk: fatImage("CIDATA", "", map[string]string{"meta-data": ""}), want: volume{kind: "vfat", label: "CIDATA", names: []string{"FILE0"}}, ok: true},
		{name: "FAT12 with a directory", disk: fatImage("ESP", "bulkhead", nil), want: volume{kind: "vfat", label: "ESP", names: []string{"BULKHEAD"}}, ok: true},
		{name: "FAT32, labelled in its boot sector", disk: wide, want: volume{kind: "vfat", label: "CIDATA", names: []string{"BULKHEAD"}}, ok: true},
		{name: "a boot sector of others", disk: append(make([]byte, 510), 0x55, 0xaa)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := probe(bytes.NewReader(tt.disk))
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(volume{})); diff != "" || ok != tt.ok {
				t.Errorf("probe: %v, want %v (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

// Whatever is on a disk, looking at it ends, and reads little.
func FuzzProbe(f *testing.F) {
	f.Add(isoImage("cidata", nil)[32768:33000], true)
	f.Add(fatImage("CIDATA", "x", nil)[:1024], false)
	f.Fuzz(func(t *testing.T, b []byte, disc bool) {
		disk := b
		if disc {
			disk = append(make([]byte, 32768), b...)
		}
		v, ok := probe(bytes.NewReader(disk))
		if !ok && v.kind != "" || len(v.names) > 1<<16 {
			t.Errorf("probe: %v with %d names", ok, len(v.names))
		}
	})
}

func TestForms(t *testing.T) {
	env := `<Environment><PropertySection><Property key="user-data" value="aGk="/></PropertySection></Environment>`
	tests := []struct {
		name, label string
		files       map[string]string
		want        platform.Data
		err         string
	}{
		{name: "empty", label: "cidata"},
		{
			name: "NoCloud", label: "cidata",
			files: map[string]string{"user-data": text, "meta-data": "instance-id: i-1\nlocal-hostname: n1\n", "network-config": "version: 2\n", "vendor-data": "x"},
			want:  platform.Data{From: "user-data", UserData: []byte(text), InstanceID: "i-1", Hostname: "n1", Network: []byte("version: 2\n")},
		},
		{
			name: "our own", label: "BULKHEAD", files: map[string]string{"user-data.toml": text, "net.toml": "version = 3\n"},
			want: platform.Data{From: "user-data.toml", UserData: []byte(text), Network: []byte("version = 3\n")},
		},
		{name: "no more than a network", label: "cidata", files: map[string]string{"net.toml": "version = 3\n"}, want: platform.Data{From: "net.toml", Network: []byte("version = 3\n")}},
		{name: "empty user-data", label: "cidata", files: map[string]string{"user-data": "", "meta-data": ""}},
		{name: "10 MiB", label: "cidata", files: map[string]string{"user-data": strings.Repeat("x", 10<<20)}, err: "user-data: there are more than 8388608 bytes"},
		{name: "a directory", label: "cidata", files: map[string]string{"user-data/x": "x"}, err: "user-data: it is no file"},
		{
			name: "broken meta-data", label: "cidata", files: map[string]string{"user-data": text, "meta-data": ":\n-"},
			want: platform.Data{From: "user-data", UserData: []byte(text)}, err: "meta-data: yaml: did not find expected key",
		},
		{
			name: "large meta-data", label: "cidata", files: map[string]string{"user-data": text, "meta-data": strings.Repeat("#", 70000)},
			want: platform.Data{From: "user-data", UserData: []byte(text)}, err: "meta-data: it has 70000 bytes, want at most 65536",
		},
		{
			name: "a name that is none", label: "cidata", files: map[string]string{"user-data": text, "meta-data": `hostname: "a\nb"`},
			want: platform.Data{From: "user-data", UserData: []byte(text)}, err: "meta-data: hostname: a name with something other than letters, digits and signs",
		},
		{
			name: "OpenStack", label: "config-2",
			files: map[string]string{"openstack/latest/user_data": text, "openstack/latest/meta_data.json": `{"uuid": "u-1", "hostname": "n1", "keys": []}`},
			want:  platform.Data{From: "openstack/latest/user_data", UserData: []byte(text), InstanceID: "u-1", Hostname: "n1"},
		},
		{
			name: "OpenStack with a network", label: "config-2",
			files: map[string]string{"openstack/latest/user_data": text, "openstack/latest/network_data.json": `{"links": []}`},
			want:  platform.Data{From: "openstack/latest/user_data", UserData: []byte(text), Network: []byte(`{"links": []}`)},
		},
		{
			name: "OpenStack with nothing but a network", label: "config-2", files: map[string]string{"openstack/latest/network_data.json": `{"links": []}`},
			want: platform.Data{From: "openstack/latest/network_data.json", Network: []byte(`{"links": []}`)},
		},
		{name: "OpenStack without user data", label: "config-2", files: map[string]string{"openstack/latest/meta_data.json": `{"uuid": "u-1"}`}, want: platform.Data{InstanceID: "u-1"}},
		{
			name: "OpenStack, broken", label: "config-2", files: map[string]string{"openstack/latest/user_data": text, "openstack/latest/meta_data.json": `{`},
			want: platform.Data{From: "openstack/latest/user_data", UserData: []byte(text)}, err: "meta_data.json: unexpected end of JSON input",
		},
		{name: "vSphere", label: "OVF ENV", files: map[string]string{"ovf-env.xml": env}, want: platform.Data{From: "ovf-env.xml", UserData: []byte("hi")}},
		{name: "vSphere with a file", label: "OVF ENV", files: map[string]string{"user-data": text}, want: platform.Data{From: "user-data", UserData: []byte(text)}},
		{name: "vSphere with both", label: "OVF ENV", files: map[string]string{"user-data": text, "OVF_ENV.XML": env}, err: "it has user-data and OVF_ENV.XML, want one of them"},
		{name: "vSphere with nothing", label: "OVF ENV"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			var got platform.Data
			var err error
			for _, f := range forms {
				if f.label == tt.label {
					got, err = f.read(root)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("read: %v, want %q", err, tt.err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A computer has disks, which are files here, and knows what is on those that
// are media.
type computer struct {
	t   *testing.T
	dir string
	sys fstest.MapFS
	on  map[string]fstest.MapFS // by device
}

func newComputer(t *testing.T) *computer {
	return &computer{t: t, dir: t.TempDir(), sys: fstest.MapFS{"block/dm-0/size": {}, "block/sr9/size": {}}, on: map[string]fstest.MapFS{}}
}

// add gives the computer a disk, or with a slash in its name a partition.
func (c *computer) add(name string, disk []byte, files map[string]string) {
	c.t.Helper()
	c.sys["block/"+name+"/size"] = &fstest.MapFile{}
	if strings.Contains(name, "/") {
		c.sys["block/"+name+"/partition"] = &fstest.MapFile{Data: []byte("1\n")}
	}
	node := filepath.Join(c.dir, filepath.Base(name))
	must(c.t, os.WriteFile(node, disk, 0o600))
	c.on[node] = fstest.MapFS{}
	for name, text := range files {
		c.on[node][name] = &fstest.MapFile{Data: []byte(text)}
	}
}

func (c *computer) source() Source {
	return Source{Sys: c.sys, Dev: c.dir, open: func(device, _ string) (fs.FS, func(), error) {
		if c.on[device] == nil {
			return nil, nil, errors.New("not mounted")
		}
		return c.on[device], func() {}, nil
	}}
}

// files are what a medium has.
var files = map[string]string{"user-data": text, "meta-data": "instance-id: i-1\n"}

func TestRead(t *testing.T) {
	all := platform.Data{UserData: []byte(text), InstanceID: "i-1"}
	other := map[string]string{"user-data": "x"}
	tests := []struct {
		name string
		make func(*computer)
		want platform.Data // without where it is from
		err  string
	}{
		{name: "none", make: func(*computer) {}},
		{name: "a disc", make: func(c *computer) { c.add("sr0", isoImage("cidata", nil), files) }, want: all},
		{name: "a disk", make: func(c *computer) { c.add("vdb", fatImage("CIDATA", "", nil), files) }, want: all},
		{name: "a partition", make: func(c *computer) {
			c.add("sdb", make([]byte, 1<<20), nil)
			c.add("sdb/sdb1", fatImage("CIDATA", "", nil), files)
		}, want: all},
		{name: "of others", make: func(c *computer) {
			c.add("sr0", isoImage("GAME", nil), files)
			c.add("vdb", fatImage("BACKUP", "", nil), files)
		}},
		{name: "made of others", make: func(c *computer) { c.add("dm-1", isoImage("cidata", nil), files) }},
		{name: "two kinds", make: func(c *computer) {
			c.add("sr0", isoImage("cidata", nil), files)
			c.add("vdb", fatImage("BULKHEAD", "", nil), map[string]string{"user-data.toml": "mine"})
		}, want: platform.Data{UserData: []byte("mine")}},
		{name: "two that say the same", make: func(c *computer) {
			c.add("sr0", isoImage("cidata", nil), files)
			c.add("vdb", fatImage("CIDATA", "", nil), files)
		}, want: all},
		{
			name: "two that differ", make: func(c *computer) {
				c.add("sr0", isoImage("cidata", nil), files)
				c.add("vdb", fatImage("CIDATA", "", nil), other)
			},
			err: "there are 2 media with the label cidata, which differ: cidata on DIR/sr0, user-data, cidata on DIR/vdb, user-data; none of them is taken",
		},
		{name: "a partition of a disk that is one", make: func(c *computer) {
			c.add("sdb", isoImage("cidata", nil), files)
			c.add("sdb/sdb1", isoImage("cidata", nil), other)
		}, want: all},
		{
			name: "not to be mounted", make: func(c *computer) {
				c.add("sr0", isoImage("cidata", nil), files)
				c.on = nil
			},
			err: "cidata on DIR/sr0: not mounted",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newComputer(t)
			tt.make(c)
			got, err := c.source().Read(t.Context())
			got.From = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && strings.ReplaceAll(err.Error(), c.dir, "DIR") != tt.err {
				t.Errorf("Read: %v, want %q", err, tt.err)
			}
		})
	}
}

// The ESP counts if it has our directory, and is not mounted otherwise.
func TestESP(t *testing.T) {
	dir := t.TempDir()
	var st unix.Stat_t
	must(t, unix.Stat(dir, &st))
	for _, tt := range []struct{ name, folder, want string }{{"with the directory", "bulkhead", text}, {"without it", "loader", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			c := newComputer(t)
			c.sys[fmt.Sprintf("dev/block/%d:%d/uevent", unix.Major(st.Dev), unix.Minor(st.Dev))] = &fstest.MapFile{Data: []byte("DEVNAME=vda\n")}
			c.add("vda/vda1", fatImage("ESP", tt.folder, nil), map[string]string{"bulkhead/user-data.toml": text})
			c.sys["block/vda/vda1/uevent"] = &fstest.MapFile{Data: []byte("DEVNAME=vda1\nPARTNAME=ESP\n")}
			d, err := ESP{Source: c.source(), Root: dir}.Read(t.Context())
			if err != nil || string(d.UserData) != tt.want {
				t.Errorf("Read = %q, %v, want %q", d.UserData, err, tt.want)
			}
		})
	}
}

// The kernel reads what it is given, for reading only, and mounts it nowhere.
func TestMount(t *testing.T) {
	for kind, image := range map[string][]byte{"iso9660": isoImage("cidata", files), "vfat": fatImage("CIDATA", "", files)} {
		t.Run(kind, func(t *testing.T) {
			name := attach(t, image)
			before, err := os.ReadFile("/proc/self/mounts")
			must(t, err)
			root, done, err := mount("/dev/"+name, kind)
			if errors.Is(err, unix.ENODEV) {
				t.Skipf("this kernel has no %s", kind) // tools/boottest mounts it in one that does
			}
			must(t, err)
			defer done()
			d, err := readNoCloud(root)
			if diff := cmp.Diff(platform.Data{From: "user-data", UserData: []byte(text), InstanceID: "i-1"}, d); err != nil || diff != "" {
				t.Errorf("readNoCloud of the medium: %v (-want +got):\n%s", err, diff)
			}
			f, err := root.Open(".")
			must(t, err)
			defer f.Close()
			var st unix.Statfs_t
			must(t, unix.Fstatfs(int(f.(*os.File).Fd()), &st))
			if want := int64(unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC); st.Flags&want != want {
				t.Errorf("flags of the mount: %#x, want %#x among them", st.Flags, want)
			}
			after, err := os.ReadFile("/proc/self/mounts")
			must(t, err)
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("mounts of the process (-before +after):\n%s", diff)
			}
		})
	}
}

// attach makes a disk with the bytes a device of this computer, and returns its
// name.
func attach(t *testing.T, disk []byte) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounts file systems, which takes root")
	}
	file, err := os.CreateTemp(t.TempDir(), "disk")
	must(t, err)
	defer file.Close()
	_, err = file.Write(disk)
	must(t, err)
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this computer has no loop devices")
	}
	must(t, err)
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		must(t, err)
		name := fmt.Sprintf("loop%d", n)
		loop, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) { // nobody makes the files of devices here
			must(t, unix.Mknod("/dev/"+name, unix.S_IFBLK|0o600, int(unix.Mkdev(7, uint32(n)))))
			loop, err = os.OpenFile("/dev/"+name, os.O_RDWR, 0)
		}
		must(t, err)
		err = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(file.Fd()))
		if errors.Is(err, unix.EBUSY) { // somebody else was faster
			_ = loop.Close()
			continue
		}
		must(t, err)
		t.Cleanup(func() {
			_ = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0)
			_ = loop.Close()
		})
		return name
	}
}
