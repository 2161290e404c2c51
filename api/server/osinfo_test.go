package server_test

import (
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/server"
)

func TestReadOS(t *testing.T) {
	const usual = "NAME=Bulkhead\nVARIANT_ID=metal-k8s-1.36\nVERSION_ID='1.2.3'\nPRETTY_NAME=\"Bulkhead \\\"1.2.3\\\"\"\n# BUILD_ID=x\n\nBUILD_ID=abc\nodd line\n"
	want := server.OS{VariantID: "metal-k8s-1.36", VersionID: "1.2.3", PrettyName: `Bulkhead "1.2.3"`, BuildID: "abc"}
	tests := []struct {
		name  string
		image fstest.MapFS
		want  server.OS
		err   string
	}{
		{"below usr", fstest.MapFS{"usr/lib/os-release": {Data: []byte(usual)}, "etc/os-release": {Data: []byte("VERSION_ID=9")}}, want, ""},
		{"below etc", fstest.MapFS{"etc/os-release": {Data: []byte(usual)}}, want, ""},
		{"empty", fstest.MapFS{"etc/os-release": {}}, server.OS{}, ""},
		{"none", fstest.MapFS{}, server.OS{}, "read os-release: open etc/os-release: file does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := server.ReadOS(tt.image)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || text != tt.err {
				t.Errorf("ReadOS: error %q, want %q; (-want +got):\n%s", text, tt.err, diff)
			}
		})
	}
}

func TestArch(t *testing.T) {
	own := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if got := server.Arch([]string{"mips", own}); got != own {
		t.Errorf("Arch of a variant for this machine: %q, want %q", got, own)
	}
	if got := server.Arch([]string{"mips"}); got != "mips" {
		t.Errorf("Arch of a variant for other machines: %q, want mips", got)
	}
}
