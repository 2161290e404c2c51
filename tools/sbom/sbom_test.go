package sbom_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spdx/tools-golang/json"

	"github.com/bulkhead-os/bulkhead/tools/sbom"
)

func TestWrite(t *testing.T) {
	img := sbom.Image{Variant: "qemu-dev", Version: "1.2.0", Suite: "trixie", RootHash: "abcd", Components: []sbom.Component{
		{Kind: sbom.Go, Name: "go.etcd.io/bbolt", Version: "v1.4.0", Licence: "MIT"},
		{Kind: sbom.Debian, Name: "libstdc++6", Version: "1:14.2+x~y-1", Arch: "amd64", SHA256: "00ff", Supplier: "Debian", Source: "gcc-14 14.2"},
		{Kind: sbom.Go, Name: "go.etcd.io/bbolt", Version: "v1.4.0", Licence: "MIT"},
	}}
	var b bytes.Buffer
	if err := sbom.Write(&b, img); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("what Write wrote cannot be read: %v", err)
	}
	type row struct{ ID, Purl, Licence, Sum string }
	var got []row
	for _, p := range doc.Packages {
		r := row{ID: string(p.PackageSPDXIdentifier), Purl: p.PackageExternalReferences[0].Locator, Licence: p.PackageLicenseDeclared}
		if len(p.PackageChecksums) > 0 {
			r.Sum = p.PackageChecksums[0].Value
		}
		got = append(got, r)
	}
	want := []row{
		{"bulkhead-qemu-dev-1.2.0", "pkg:generic/bulkhead/bulkhead-qemu-dev@1.2.0", "NOASSERTION", ""},
		{"deb-libstdc-6-1-14.2-x-y-1", "pkg:deb/debian/libstdc++6@1%3A14.2%2Bx~y-1?arch=amd64&distro=trixie", "NOASSERTION", "00ff"},
		{"golang-go.etcd.io-bbolt-v1.4.0", "pkg:golang/go.etcd.io/bbolt@v1.4.0", "MIT", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages of the document (-want +got):\n%s", diff)
	}
	if len(doc.Relationships) != 3 {
		t.Errorf("the document has %d relationships, want one that describes and two that contain", len(doc.Relationships))
	}
	var again bytes.Buffer
	if err := sbom.Write(&again, img); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
		t.Errorf("Write the second time: %v, other bytes: %t", err, !bytes.Equal(again.Bytes(), b.Bytes()))
	}
}

func TestModules(t *testing.T) {
	dir := t.TempDir()
	program, text := filepath.Join(dir, "program"), filepath.Join(dir, "text")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "go", args...).Output()
		if err != nil {
			t.Fatalf("go %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("build", "-o", program, "./testdata/program")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	modules, err := sbom.Modules([]string{text, program}, run("env", "GOMODCACHE"))
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) != 1 || modules[0].Path != "github.com/google/go-cmp" || modules[0].Texts["LICENSE"] == nil {
		t.Fatalf("Modules = %v, want go-cmp with its licence", modules)
	}
	if licence, err := modules[0].Licence(); err != nil || licence != "BSD-3-Clause" {
		t.Errorf("Licence of go-cmp: %q, %v, want BSD-3-Clause", licence, err)
	}
	if _, err := sbom.Modules([]string{program}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "licence of github.com/google/go-cmp") {
		t.Errorf("Modules without their files: %v, want an error that names the module", err)
	}
}

func TestLicence(t *testing.T) {
	tests := []struct {
		name  string
		texts map[string]string
		want  string
	}{
		{"unknown", map[string]string{"LICENSE": "Do what you think is right."}, ""},
		{"one unknown of two", map[string]string{"LICENSE": mit, "COPYING": "Ask me."}, ""},
		{"known, with a notice", map[string]string{"LICENSE": mit, "NOTICE": "Made by us."}, "MIT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sbom.Module{Texts: map[string][]byte{}}
			for name, text := range tt.texts {
				m.Texts[name] = []byte(text)
			}
			if got, err := m.Licence(); err != nil || got != tt.want {
				t.Errorf("Licence() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`
