package up

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/kubepki"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Nodes that join a control plane here are told of it, and where its images are
// besides the registries of the user.
func TestJoining(t *testing.T) {
	j := newTestJob(t, io.Discard)
	j.opt.Variant = "qemu-k8s-1.37"
	j.kube = &kubeSpec{Minor: "1.37", Port: 16443, Token: kubepki.NewToken()}
	must(t, os.MkdirAll(kubeDir(j.cluster), 0o700))
	nodes := j.prepared(t, "[[settings.container-registry.mirrors]]\nregistry = \"example.org\"\nendpoint = [\"https://mirror.example.org\"]\n[settings.kubernetes]\nmax-pods = 20\n")
	got, err := document.ParseTOML([]byte(nodes[0].spec.Credentials["bulkhead.user-data"]))
	must(t, err)
	for setting, want := range map[string]string{
		"kubernetes.max-pods": "20", "kubernetes.api-server": `"https://192.168.127.254:16443"`, "kubernetes.bootstrap-token": `"` + j.kube.Token.String() + `"`,
		"kubernetes.server-tls-bootstrap": "true",
		"container-registry.mirrors":      `[{"registry":"example.org","endpoint":["https://mirror.example.org/"]},{"registry":"ghcr.io","endpoint":["http://192.168.127.253:5000"]}]`,
	} {
		if v, _ := got.Get(key.Of(strings.Split(setting, ".")...)); v.JSON() != want {
			t.Errorf("user data: %s = %s, want %s", setting, v.JSON(), want)
		}
	}
}

func TestWantsControlPlane(t *testing.T) {
	root, err := workspace.Find(".")
	must(t, err)
	const other = "[settings.kubernetes]\napi-server = \"https://192.0.2.1:6443\"\n"
	tests := []struct {
		name, variant, userData, where string
		want                           bool
		err                            string
	}{
		{"Kubernetes", "qemu-k8s-1.37", "", "", true, ""},
		{"another control plane", "qemu-k8s-1.37", other, ControlPlaneAuto, false, ""},
		{"alone", "qemu-k8s-1.37", "[settings.kubernetes]\nstandalone-mode = true\n", ControlPlaneAuto, false, ""},
		{"no Kubernetes", "qemu-dev", "", ControlPlaneAuto, false, ""},
		{"none", "qemu-k8s-1.37", "", ControlPlaneNone, false, ""},
		{"both", "qemu-k8s-1.37", other, ControlPlaneHost, false, "the user data says how nodes join (settings.kubernetes), which shipyard up sets when the control plane runs here"},
		{"for others", "qemu-dev", "", ControlPlaneHost, false, "nodes of qemu-dev do not join a control plane: that is for variants such as qemu-k8s-1.37"},
		{"elsewhere", "qemu-dev", "", "moon", false, `--control-plane "moon": want auto, host, none`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := ""
			if tt.userData != "" {
				file = write(t, tt.userData, t.TempDir(), "user.toml")
			}
			s, err := readUserData(root, tt.variant, file)
			must(t, err)
			got, err := (&job{opt: Options{ControlPlane: tt.where}}).wantsControlPlane(s)
			if got != tt.want || text(err) != tt.err {
				t.Errorf("wantsControlPlane = %t, %q, want %t, %q", got, text(err), tt.want, tt.err)
			}
		})
	}
}

// What a control plane is like is said once, and kept for its nodes.
func TestNewControlPlane(t *testing.T) {
	j := newTestJob(t, io.Discard)
	must(t, os.MkdirAll(kubeDir(j.cluster), 0o700))
	if s, err := loadKubeSpec(j.cluster); s != nil || err != nil {
		t.Errorf("spec of a cluster without a control plane: %+v, %v, want none", s, err)
	}
	must(t, j.newControlPlane("1.37"))
	got, err := loadKubeSpec(j.cluster)
	must(t, err)
	if diff := cmp.Diff(j.kube, got); diff != "" || got.Port == 0 {
		t.Errorf("spec (-made +read):\n%s", diff)
	}
	beside, err := Companions(j.root, j.cluster, slog.Default())
	if err != nil || len(beside) != 2 {
		t.Errorf("Companions: %d, %v, want the control plane and the registry", len(beside), err)
	}
	if state := controlPlaneState(t.Context(), j.cluster); state != "off" {
		t.Errorf("state of a control plane without its supervisor: %s, want off", state)
	}
}
