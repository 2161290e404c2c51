package hostcontainerd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnitGroup(t *testing.T) {
	for text, want := range map[string]string{
		"0::/system.slice/system-host\\x2dcontainer.slice/host-container@admin.service\n": "/system.slice/system-host\\x2dcontainer.slice/host-container@admin.service",
		"0::/runtime.slice/host-container@a.service/.control\n":                           "/runtime.slice/host-container@a.service",
		"1:name=systemd:/x.service\n0::/user.slice/user-0.slice/session-1.scope\n":        "",
		"12:devices:/\n0::/init.scope\n":                                                  "",
		"":                                                                                "",
	} {
		if got := unitGroup(text); got != want {
			t.Errorf("unitGroup(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for source, want := range map[string]string{
		"nginx":                                                    "docker.io/library/nginx:latest",
		"team/app:v1":                                              "docker.io/team/app:v1",
		"registry.example:5000/team/app":                           "registry.example:5000/team/app:latest",
		"registry.example/team/app@" + digest:                      "registry.example/team/app@" + digest,
		"registry.example/team/app:v1@" + digest:                   "registry.example/team/app@" + digest,
		"https://registry.example/team/app:v1":                     "registry.example/team/app:v1",
		"111122223333.dkr.ecr.eu-central-1.amazonaws.com/admin:v1": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/admin:v1",
	} {
		if got, err := normalize(source); err != nil || got != want {
			t.Errorf("normalize(%q) = %q, %v, want %q", source, got, err, want)
		}
	}
	for _, source := range []string{"", "Registry/Team", "a b", "http://", "a@sha256:12"} {
		if got, err := normalize(source); err == nil {
			t.Errorf("normalize(%q) = %q, want an error", source, got)
		}
	}
}

func TestECRHost(t *testing.T) {
	for host, want := range map[string]bool{
		"111122223333.dkr.ecr.eu-central-1.amazonaws.com":   true,
		"111122223333.dkr.ecr-fips.us-east-1.amazonaws.com": true,
		"111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn":  true,
		"111122223333.dkr-ecr.us-west-2.on.aws":             true,
		"public.ecr.aws":                                    false,
		"11112222.dkr.ecr.eu-central-1.amazonaws.com":       false,
		"evil.example/111122223333.dkr.ecr.x.amazonaws.com": false,
	} {
		if got := ecrHost.MatchString(host); got != want {
			t.Errorf("ecrHost of %s: %t, want %t", host, got, want)
		}
	}
}

// What is wrong with credentials is told without them.
func TestReadCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.toml")
	if got, err := readCredentials(file); err != nil || got != nil {
		t.Errorf("readCredentials without a file: %v, %v, want none", got, err)
	}
	const text = `[[credential]]
host = "a"
username = "u"
password = "p"

[[credential]]
host = "b"
auth = "dTpwOnE="

[[credential]]
host = "c"
identitytoken = "t"

[[credential]]
host = "d"
auth = "c2VjcmV0"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := readCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		user, secret, err := c.pair()
		got = append(got, c.Host+": "+user+" "+secret+" "+errorText(err))
	}
	want := []string{"a: u p ", "b: u p:q ", "c:  t ", "d:   credential for d: auth holds no colon"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(file, []byte("password = \"secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCredentials(file); errorText(err) != file+" is not TOML" {
		t.Errorf("readCredentials of what is not TOML: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
