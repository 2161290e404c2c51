package containerregistry_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/models/internal/valuetest"
	"github.com/bulkhead-os/bulkhead/models/scalar"
	"github.com/bulkhead-os/bulkhead/models/settings/containerregistry"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func TestReshape(t *testing.T) {
	at := func(line int, n *syntax.Node) *syntax.Node { n.Pos.Line = line; return n }
	endpoints := at(3, valuetest.Strings("https://mirror.example.org"))
	table := at(2, syntax.NewTable(syntax.Field{Name: "docker.io", Pos: syntax.Pos{Line: 3}, Value: endpoints}))
	want := at(2, syntax.NewArray(at(3, syntax.NewTable(
		syntax.Field{Name: "registry", Pos: syntax.Pos{Line: 3}, Value: at(3, syntax.NewString("docker.io"))},
		syntax.Field{Name: "endpoint", Pos: syntax.Pos{Line: 3}, Value: endpoints},
	))))
	if diff := cmp.Diff(want, containerregistry.Mirrors(nil).Reshape(table)); diff != "" {
		t.Errorf("Reshape of a table (-want +got):\n%s", diff)
	}
	for _, n := range []*syntax.Node{want, syntax.NewString("docker.io")} {
		if got := containerregistry.Mirrors(nil).Reshape(n); got != n {
			t.Errorf("Reshape of %s = %s, want it unchanged", n.Describe(), got.Describe())
		}
	}
}

func TestCheckMirrors(t *testing.T) {
	mirror := func(registry string, endpoints ...string) containerregistry.Mirror {
		m := containerregistry.Mirror{Registry: valuetest.Parse[containerregistry.Name](t, registry)}
		for _, e := range endpoints {
			m.Endpoint = append(m.Endpoint, *valuetest.Parse[containerregistry.Endpoint](t, e))
		}
		return m
	}
	tests := []struct {
		name string
		in   containerregistry.Mirrors
		want []string
	}{
		{name: "nothing"},
		{name: "two registries", in: containerregistry.Mirrors{mirror("docker.io", "https://a.example"), mirror("*", "https://b.example")}},
		{
			name: "twice", in: containerregistry.Mirrors{mirror("docker.io", "https://a.example"), mirror("docker.io", "https://b.example")},
			want: []string{"settings.container-registry.mirrors[1].registry: docker.io has a mirror in mirrors[0] already (put all endpoints of a registry into one entry)"},
		},
		{
			name: "nothing to mirror, and nothing to mirror it", in: containerregistry.Mirrors{{}, mirror("quay.io")},
			want: []string{
				`warning: settings.container-registry.mirrors[0].registry: the mirror names no registry, so it is not used (set registry, to "*" for all registries)`,
				"warning: settings.container-registry.mirrors[1].endpoint: the mirror of quay.io has no endpoint, so it is not used (add an endpoint, or remove the mirror)",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := containerregistry.Settings{Mirrors: tt.in}
			if diff := cmp.Diff(tt.want, valuetest.Faults(s.Check, "container-registry")); diff != "" {
				t.Errorf("faults of the mirrors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckCredentials(t *testing.T) {
	user, empty := line(t, "bob"), line(t, "")
	password, other := secret(t, "hunter2"), secret(t, "hunter3")
	token := secret(t, "token")
	hub, quay := line(t, "docker.io"), line(t, "quay.io")
	tests := []struct {
		name string
		in   []containerregistry.Credential
		want []string
	}{
		{name: "user and password", in: []containerregistry.Credential{{Registry: quay, Username: user, Password: password}}},
		{name: "auth", in: []containerregistry.Credential{{Registry: quay, Auth: auth(t, "bob:hunter2")}}},
		{name: "auth beside empty values", in: []containerregistry.Credential{{Registry: quay, Username: empty, Password: secret(t, ""), Auth: auth(t, "bob:hunter2")}}},
		{name: "token", in: []containerregistry.Credential{{Registry: quay, IdentityToken: token}, {Registry: hub, Username: user, IdentityToken: token}}},
		{name: "the same twice", in: []containerregistry.Credential{{Registry: quay, Username: user, Password: password, Auth: auth(t, "bob:hunter2")}}},
		{
			name: "auth for another user", in: []containerregistry.Credential{{Registry: quay, Username: user, Password: password, Auth: auth(t, "alice:hunter2")}},
			want: []string{"settings.container-registry.credentials[0].auth: username is bob and auth is for another user (set either auth, or username and password)"},
		},
		{
			name: "auth with another password", in: []containerregistry.Credential{{Registry: quay, Username: user, Password: other, Auth: auth(t, "bob:hunter2")}},
			want: []string{"settings.container-registry.credentials[0].auth: password is not the one in auth (set either auth, or username and password)"},
		},
		{
			name: "auth without colon", in: []containerregistry.Credential{{Registry: quay, Auth: auth(t, "hunter2")}},
			want: []string{`warning: settings.container-registry.credentials[0].auth: auth holds no colon once it is decoded, so it is no user name and password (want the base64 form of "username:password")`},
		},
		{
			name: "password without user", in: []containerregistry.Credential{{Registry: quay, Password: password}},
			want: []string{"settings.container-registry.credentials[0].username: password is set and username is not (set username as well)"},
		},
		{
			name: "user only", in: []containerregistry.Credential{{Registry: quay, Username: user}},
			want: []string{"warning: settings.container-registry.credentials[0].password: username is bob and there is no password, auth or identitytoken, so the registry is asked without credentials (set password)"},
		},
		{
			name: "nothing", in: []containerregistry.Credential{{}},
			want: []string{
				"warning: settings.container-registry.credentials[0].auth: the credential holds nothing to show to a registry (set username and password, auth, or identitytoken)",
				"warning: settings.container-registry.credentials[0].registry: the credential names no registry, so it is not used (set registry to the one that asks for it)",
			},
		},
		{
			name: "two names of one registry", in: []containerregistry.Credential{{Registry: hub, IdentityToken: token}, {Registry: line(t, "registry-1.docker.io"), IdentityToken: token}},
			want: []string{"settings.container-registry.credentials[1].registry: registry-1.docker.io has a credential in credentials[0] already (keep one credential for a registry)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := containerregistry.Settings{Credentials: tt.in}
			got := valuetest.Faults(s.Check, "container-registry")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults of the credentials (-want +got):\n%s", diff)
			}
			if all := strings.Join(got, "\n"); strings.Contains(all, "hunter") || strings.Contains(all, "alice") {
				t.Errorf("the faults tell a secret:\n%s", all)
			}
		})
	}
}

func line(t *testing.T, s string) *scalar.SingleLine {
	t.Helper()
	return valuetest.Parse[scalar.SingleLine](t, s)
}

func secret(t *testing.T, s string) *scalar.Secret[scalar.SingleLine] {
	t.Helper()
	return new(scalar.NewSecret(*line(t, s)))
}

func auth(t *testing.T, s string) *scalar.Secret[scalar.Base64] {
	t.Helper()
	return new(scalar.NewSecret(*valuetest.Parse[scalar.Base64](t, base64.StdEncoding.EncodeToString([]byte(s)))))
}
