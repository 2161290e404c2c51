package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/tools/verity"
)

func TestVersion(t *testing.T) {
	for text, want := range map[string]bool{
		"1.2.3": true, "0.0.0": true, "1.2.3-dev.4": true, "1.2": false, "v1.2.3": false, "1.2.3/../x": false, "": false,
	} {
		if got := version.MatchString(text); got != want {
			t.Errorf("version %q accepted: %t, want %t", text, got, want)
		}
	}
}

func TestContentsWrite(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, []byte("copied"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := contents{}
	c.dir("/root", 0o700)
	c.file("/etc/machine-id", nil, 0o444)
	c.link("/bin", "usr/bin")
	if err := c.copy("/usr/bin/x", source); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "root")
	if err := c.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	want := []File{
		{Path: "/bin", Mode: "0777", Link: "usr/bin"},
		{Path: "/etc/", Mode: "0755"},
		{Path: "/etc/machine-id", Mode: "0444", SHA256: empty},
		{Path: "/root/", Mode: "0700"},
		{Path: "/usr/", Mode: "0755"},
		{Path: "/usr/bin/", Mode: "0755"},
		{Path: "/usr/bin/x", Mode: "0755", Size: 6, SHA256: "fb30593ca32df57a8a0f19d551710dc880a98b208b6e180b07e6aff59102d148"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the written root (-want +got):\n%s", diff)
	}
	before := digest(got, rootArgs)
	got[6].SHA256 = empty
	if digest(got, rootArgs) == before {
		t.Error("digest of other files is the same")
	}
	if digest(got, nil) == digest(got, rootArgs) {
		t.Error("digest of files packed otherwise is the same")
	}
}

func TestCheckForbidden(t *testing.T) {
	c := contents{}
	for _, name := range []string{"/usr/bin/systemctl", "/usr/share/apt", "/usr/bin/bash", "/usr/sbin/apt-get"} {
		c.file(name, nil, 0o755)
	}
	const want = "/usr/bin/bash does not belong into an image\n/usr/sbin/apt-get does not belong into an image"
	if err := checkNames(c); err == nil || err.Error() != want {
		t.Errorf("checkNames: error %v, want %s", err, want)
	}
}

func TestLayoutFollowsTheRootHash(t *testing.T) {
	var hash verity.Hash
	for i := range hash {
		hash[i] = byte(i)
	}
	l, err := layout("v", hash, "", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Partitions {
		got = append(got, p.Name+" "+p.UUID.String())
	}
	if got[1] != "ROOT-A 00010203-0405-0607-0809-0a0b0c0d0e0f" || got[2] != "ROOT-A-VERITY 10111213-1415-1617-1819-1a1b1c1d1e1f" {
		t.Errorf("layout for %s: %q, want the partitions of slot A to have the halves of the hash", hash, got)
	}
	if text := cmdline(hash); !strings.HasSuffix(text, " roothash="+hash.String()) {
		t.Errorf("cmdline is %q, want it to end with the root hash", text)
	}
}
