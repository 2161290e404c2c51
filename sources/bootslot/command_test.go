package bootslot

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/bulkhead-os/bulkhead/api/authenticode"
	"github.com/bulkhead-os/bulkhead/sources/internal/efivar"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir/fattest"
	"github.com/bulkhead-os/bulkhead/sources/internal/gpt"
)

// A node is the files that stand for one.
type node struct {
	t   *testing.T
	dir string
}

const (
	sector  = 512
	espSize = 128 << 10
	dir     = "EFI/Linux"
)

func root(version string) string {
	return strings.Repeat("0", 64-2*len(version)) + hex.EncodeToString([]byte(version))
}

// program returns a boot program with what the loader and we read of one.
func program(version string) []byte {
	return executable([][2]string{
		{".osrel", "ID=bulkhead\nIMAGE_ID=bulkhead-test\nIMAGE_VERSION=" + version + "\n"},
		{".cmdline", "quiet roothash=" + root(version)},
		{".linux", "kernel"},
	})
}

// executable returns a PE file with sections, each a name and its contents.
func executable(sections [][2]string) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x400)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x44:], 0x8664)
	le.PutUint16(b[0x46:], uint16(len(sections)))
	le.PutUint16(b[0x54:], 240)
	le.PutUint16(b[0x58:], 0x20b)
	le.PutUint32(b[0x58+60:], 0x400) // headers
	le.PutUint32(b[0x58+108:], 16)   // directories
	for i, s := range sections {
		h := b[0x58+240+40*i:]
		copy(h, s[0])
		le.PutUint32(h[8:], uint32(len(s[1])))
		le.PutUint32(h[16:], 0x200)
		le.PutUint32(h[20:], uint32(len(b)))
		b = append(b, make([]byte, 0x200)...)
		copy(b[len(b)-0x200:], s[1])
	}
	return b
}

// newNode returns a node with slots for two versions, of which the first runs.
func newNode(t *testing.T, running, other string, files map[string][]byte) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir()}
	const size = 1 << 20
	n.write("disk", make([]byte, size))
	f, err := os.OpenFile(n.path("disk"), os.O_RDWR, 0)
	n.must(err)
	table := gpt.New(gpt.GUID{1}, size, sector)
	table.Partitions = append(table.Partitions, gpt.Partition{Number: 1, Type: gpt.GUID{9}, ID: gpt.GUID{2}, First: 64, Last: 64 + espSize/sector - 1, Name: "ESP"})
	for i, version := range []string{running, other} {
		b, err := hex.DecodeString(root(version))
		n.must(err)
		for j, suffix := range []string{"", "-VERITY"} {
			k := 2*i + j
			table.Partitions = append(table.Partitions, gpt.Partition{
				Number: 2 + k, Type: gpt.GUID{9}, ID: gpt.FromBytes([16]byte(b[16*j:])), First: uint64(600 + 10*k), Last: uint64(609 + 10*k), Name: "ROOT-" + string("AB"[i]) + suffix,
			})
		}
	}
	n.must(table.Write(f))
	_, err = f.WriteAt(fattest.Make(espSize, dir, 0, files), 64*sector)
	n.must(errors.Join(err, f.Close()))
	n.boots(running)
	n.must(os.MkdirAll(n.path("private"), 0o700))
	return n
}

// boots makes version what runs, in another boot.
func (n *node) boots(version string) {
	n.write("root/proc/cmdline", []byte("quiet roothash="+root(version)+"\n"))
	n.write("root/proc/sys/kernel/random/boot_id", []byte(rand.Text()))
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) write(name string, data []byte) {
	n.t.Helper()
	n.must(os.MkdirAll(filepath.Dir(n.path(name)), 0o755))
	n.must(os.WriteFile(n.path(name), data, 0o600))
}

func (n *node) variable(name, vendor string, value []byte) {
	n.t.Helper()
	n.write("root"+efivar.Dir+"/"+name+"-"+vendor, append([]byte{7, 0, 0, 0}, value...))
}

// run runs the command, and returns what it printed and its error.
func (n *node) run(args ...string) (string, error) {
	var out strings.Builder
	cmd := Command()
	cmd.SetArgs(append([]string{"--root", n.path("root"), "--private", n.path("private"), "--disk", n.path("disk"), "--health", n.path("health")}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(n.t.Context())
	return out.String(), err
}

// command returns what the functions behind the commands are given.
func (n *node) command() (*cobra.Command, *options) {
	cmd := &cobra.Command{}
	cmd.SetContext(n.t.Context())
	cmd.SetErr(io.Discard)
	opt := &options{health: n.path("health")}
	opt.machine.Root, opt.machine.Private, opt.machine.Disk = n.path("root"), n.path("private"), n.path("disk")
	return cmd, opt
}

func (n *node) files() []string {
	n.t.Helper()
	b, err := os.ReadFile(n.path("disk"))
	n.must(err)
	all, err := fattest.Contents(b[64*sector:][:espSize], dir, false)
	n.must(err)
	return slices.Sorted(maps.Keys(all))
}

func two() map[string][]byte {
	return map[string][]byte{"bulkhead-1.0.0.efi": program("1.0.0"), "bulkhead-1.1.0.efi.staged": program("1.1.0")}
}

// An update from the staged program to the one that is kept, and back again.
func TestUpdate(t *testing.T) {
	n := newNode(t, "1.0.0", "1.1.0", two())
	for _, step := range []struct {
		args []string
		boot string
		out  string
		want []string
	}{
		{[]string{"mark-good"}, "", "", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"}},
		{
			[]string{"activate", "1.1.0", "--dry-run"},
			"",
			"remember: version 1.1.0 is to be tried\nrename bulkhead-1.1.0.efi.staged to bulkhead-1.1.0+3.efi: it has 3 tries\n",
			[]string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi.staged"},
		},
		{
			[]string{"activate", "1.1.0"},
			"",
			"remember: version 1.1.0 is to be tried\nrename bulkhead-1.1.0.efi.staged to bulkhead-1.1.0+3.efi: it has 3 tries\n",
			[]string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi"},
		},
		{[]string{"activate", "1.1.0"}, "", "", []string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+3.efi"}},
		{
			[]string{"begin"},
			"1.1.0", "rename bulkhead-1.1.0+3.efi to bulkhead-1.1.0+2-1.efi: the loader has started it without counting\n",
			[]string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0+2-1.efi"},
		},
		{
			[]string{"mark-good"},
			"", "remember: version 1.1.0 is healthy\nrename bulkhead-1.1.0+2-1.efi to bulkhead-1.1.0.efi: it runs, and is healthy\n",
			[]string{"bulkhead-1.0.0.efi", "bulkhead-1.1.0.efi"},
		},
		{
			[]string{"rollback"},
			"",
			"remember: version 1.0.0 is to be tried\nrename bulkhead-1.0.0.efi to bulkhead-1.0.0+3.efi: it has 3 tries\n" +
				"rename bulkhead-1.1.0.efi to bulkhead-1.1.0+0.efi: it would be started before version 1.0.0\n",
			[]string{"bulkhead-1.0.0+3.efi", "bulkhead-1.1.0+0.efi"},
		},
	} {
		if step.boot != "" {
			n.boots(step.boot)
		}
		out, err := n.run(step.args...)
		if err != nil {
			t.Fatalf("boot-slot %s: %v", strings.Join(step.args, " "), err)
		}
		if diff := cmp.Diff(step.out, out); diff != "" {
			t.Errorf("boot-slot %s: output (-want +got):\n%s", strings.Join(step.args, " "), diff)
		}
		if diff := cmp.Diff(step.want, n.files()); diff != "" {
			t.Fatalf("boot-slot %s: files (-want +got):\n%s", strings.Join(step.args, " "), diff)
		}
	}
}

func TestStatus(t *testing.T) {
	n := newNode(t, "1.0.0", "1.1.0", two())
	const want = `SLOT  VERSION  STATE   TRIES  ROOT          
A     1.0.0    good    -      000000000000  running, next
B     1.1.0    staged  -      000000000000  
`
	if got, err := n.run("status"); err != nil || got != want {
		t.Errorf("boot-slot status: %v, %s", err, cmp.Diff(want, got))
	}
	const wantJSON = `{
  "running": "1.0.0",
  "next": "1.0.0",
  "slots": [
    {
      "slot": "A",
      "root_hash": "000000000000000000000000000000000000000000000000000000312e302e30",
      "state": "good",
      "version": "1.0.0",
      "entry": "bulkhead-1.0.0.efi",
      "running": true,
      "next": true
    },
    {
      "slot": "B",
      "root_hash": "000000000000000000000000000000000000000000000000000000312e312e30",
      "state": "staged",
      "version": "1.1.0",
      "entry": "bulkhead-1.1.0.efi.staged",
      "running": false,
      "next": false
    }
  ]
}
`
	if got, err := n.run("status", "-o", "json"); err != nil || got != wantJSON {
		t.Errorf("boot-slot status -o json: %v, %s", err, cmp.Diff(wantJSON, got))
	}
}

// Only what has to prove itself is waited for.
func TestBeginTellsOfATrial(t *testing.T) {
	for file, want := range map[string]bool{"bulkhead-1.0.0.efi": false, "bulkhead-1.0.0+2-1.efi": true, "bulkhead-1.0.0+0-3.efi": true} {
		n := newNode(t, "1.0.0", "1.1.0", map[string][]byte{file: program("1.0.0")})
		if _, err := n.run("begin", "--trial", n.path("trial")); err != nil {
			t.Fatalf("boot-slot begin with %s: %v", file, err)
		}
		if _, err := os.Stat(n.path("trial")); (err == nil) != want {
			t.Errorf("boot-slot begin with %s: a trial %t, want %t", file, err == nil, want)
		}
	}
}

func TestMisuse(t *testing.T) {
	n := newNode(t, "1.0.0", "1.1.0", two())
	for _, tt := range []struct{ args, want string }{
		{"", "no command, want status, activate, deactivate, mark-good, mark-bad, rollback or begin"},
		{"frob", `there is no command "frob"`},
		{"activate", "0 arguments, want one: a version"},
		{"status -o xml", `-o "xml", want text or json`},
		{"rollback now", `argument "now" is not expected`},
		{"mark-bad 1 2", "2 arguments, want one version at most"},
		{"status --frob", "unknown flag: --frob"},
	} {
		_, err := n.run(strings.Fields(tt.args)...)
		var coder interface{ ExitCode() int }
		if err == nil || err.Error() != tt.want || !errors.As(err, &coder) || coder.ExitCode() != 2 {
			t.Errorf("boot-slot %s: %v, want %s with exit code 2", tt.args, err, tt.want)
		}
	}
}

// database returns the value of the variable "db" that trusts cert.
func database(cert *x509.Certificate) []byte {
	le := binary.LittleEndian
	b := append([]byte("\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"), make([]byte, 12)...)
	le.PutUint32(b[16:], uint32(28+16+len(cert.Raw)))
	le.PutUint32(b[24:], uint32(16+len(cert.Raw)))
	return append(append(b, make([]byte, 16)...), cert.Raw...)
}

// What the firmware would refuse is not activated.
func TestActivateChecksTheSignature(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "release key"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := authenticode.Sign(program("1.1.0"), key, cert)
	if err != nil {
		t.Fatal(err)
	}
	files := two()
	for _, tt := range []struct {
		name    string
		program []byte
		db      []byte
		want    string
	}{
		{"signed", signed, database(cert), ""},
		{"not signed", program("1.1.0"), database(cert), "refused: the firmware would not start bulkhead-1.1.0.efi.staged: it has no signature"},
		{"by somebody else", signed, nil, `refused: the firmware would not start bulkhead-1.1.0.efi.staged: nobody signed it whom the firmware trusts: it is signed by "release key"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files["bulkhead-1.1.0.efi.staged"] = tt.program
			n := newNode(t, "1.0.0", "1.1.0", files)
			n.variable("SecureBoot", efivar.Global, []byte{1})
			if tt.db != nil {
				n.variable("db", efivar.Security, tt.db)
			}
			_, err := n.run("activate", "1.1.0")
			if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) {
				t.Errorf("boot-slot activate: %v, want %q", err, tt.want)
			}
			if staged := slices.Contains(n.files(), "bulkhead-1.1.0.efi.staged"); staged != (tt.want != "") {
				t.Errorf("files are %q", n.files())
			}
		})
	}
}

// The beginning of a boot makes the firmware try the loader again, and takes back
// what would make the loader start a version that has failed.
func TestBeginMindsTheFirmware(t *testing.T) {
	n := newNode(t, "1.0.0", "1.1.0", two())
	n.variable("Boot0000", efivar.Global, []byte("\x01\x00\x00\x00\x04\x00N\x00e\x00t\x00\x00\x00\x7f\xff\x04\x00"))
	n.variable("BootOrder", efivar.Global, []byte{0, 0})
	n.variable("LoaderEntryDefault", efivar.Loader, []byte("x\x00\x00\x00"))
	if out, err := n.run("begin"); err != nil || strings.Count(out, "write Boot") != 5 {
		t.Errorf("boot-slot begin: %v, output\n%swant four entries and their order", err, out)
	}
	if out, err := n.run("begin"); err != nil || out != "" {
		t.Errorf("boot-slot begin once more: %v, output\n%swant nothing to do", err, out)
	}
	out, err := n.run("status")
	if err != nil || strings.Count(out, `\EFI\systemd\systemd-bootx64.efi`) != 4 || strings.Contains(out, "insists") {
		t.Errorf("boot-slot status: %v, output\n%swant the loader four times", err, out)
	}
}
