package hostcontainerd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Credentials of Amazon's registries come from the program that the kubelet asks,
// where there is one.
func TestECRCredential(t *testing.T) {
	const (
		host  = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
		image = host + "/admin:v1"
	)
	c := &Client{opt: Options{Root: t.TempDir()}}
	if _, _, err := c.ecrCredential(t.Context(), host, image); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the program: %v, want that it does not exist", err)
	}
	helper := c.path(ecrHelper)
	if err := os.MkdirAll(filepath.Dir(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	asked := filepath.Join(t.TempDir(), "asked")
	tests := []struct {
		name, script string
		user, secret string
		err          string
	}{
		{
			name: "known", user: "AWS", secret: "token",
			script: `echo '{"auth": {"*.dkr.ecr.eu-central-1.amazonaws.com": {"username": "AWS", "password": "token"}}}'`,
		},
		{name: "unknown", script: `echo '{"auth": {"other": {}}}'`, err: "ecr-credential-provider has no credentials for " + host},
		{name: "no JSON", script: "echo token", err: "ecr-credential-provider: answer for " + host + " is not JSON"},
		{name: "fails", script: "exit 3", err: "ask ecr-credential-provider for credentials of " + host + ": exit status 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(helper, []byte("#!/bin/sh\ncat > "+asked+"\n"+tt.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			user, secret, err := c.ecrCredential(t.Context(), host, image)
			if user != tt.user || secret != tt.secret || errorText(err) != tt.err {
				t.Errorf("ecrCredential = %q, %q, %v, want %q, %q, %q", user, secret, err, tt.user, tt.secret, tt.err)
			}
			got, err := os.ReadFile(asked)
			const want = `{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"` + image + `","kind":"CredentialProviderRequest"}`
			if err != nil || string(got) != want {
				t.Errorf("the program was asked %q, %v, want %q", got, err, want)
			}
		})
	}
}
