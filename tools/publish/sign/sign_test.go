package sign_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/publish/sign"
)

// TestMain makes this program an external signer where the environment says
// with which files.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_SIGNER"); dir != "" {
		if err := signer(dir, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// signer signs with the key in dir, whose public half is asked for as well.
func signer(dir, word string) error {
	if word == "public" {
		text, err := os.ReadFile(filepath.Join(dir, "key.pub"))
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	message, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(ed25519.Sign(key.(ed25519.PrivateKey), message))
	return err
}

func signed(t *testing.T, k sign.Key) error {
	t.Helper()
	root := metadata.Root(time.Now().Add(time.Hour))
	if err := root.Signed.AddKey(k.Public, metadata.ROOT); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second signature takes the place of the first
		if err := sign.Sign(t.Context(), root, k); err != nil {
			return err
		}
	}
	if n := len(root.Signatures); n != 1 {
		t.Errorf("signatures of one key: %d, want 1", n)
	}
	return root.VerifyDelegate(metadata.ROOT, root)
}

func TestGenerateOpenSign(t *testing.T) {
	for _, kind := range []string{sign.Ed25519, sign.ECDSA} {
		t.Run(kind, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			made, err := sign.Generate(file, kind)
			if err != nil {
				t.Fatalf("Generate: %v", err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode of the key: %v, %v, want 0600", info.Mode(), err)
			}
			private, err := sign.Open(t.Context(), file)
			if err != nil || private.ID != made.ID || !private.CanSign() {
				t.Errorf("Open(%s) = %+v, %v, want %s that can sign", file, private, err, made.ID)
			}
			public, err := sign.Open(t.Context(), file+".pub")
			if err != nil || public.ID != made.ID || public.CanSign() {
				t.Errorf("Open(%s.pub) = %+v, %v, want %s that cannot sign", file, public, err, made.ID)
			}
			if err := signed(t, private); err != nil {
				t.Errorf("a signature of %s: %v", kind, err)
			}
			if _, err := sign.Generate(file, kind); err == nil || !strings.Contains(err.Error(), "file exists") {
				t.Errorf("Generate(%s) again = %v, want that the file exists", file, err)
			}
		})
	}
	if _, err := sign.Generate(filepath.Join(t.TempDir(), "key"), "rsa"); err == nil {
		t.Error("Generate(rsa) = nil, want an error")
	}
}

func TestExternalSigner(t *testing.T) {
	dir := t.TempDir()
	made, err := sign.Generate(filepath.Join(dir, "key"), sign.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_SIGNER", dir)
	k, err := sign.Open(t.Context(), "exec:"+os.Args[0])
	if err != nil || k.ID != made.ID {
		t.Fatalf("Open(exec:…) = %s, %v, want %s", k.ID, err, made.ID)
	}
	if err := signed(t, k); err != nil {
		t.Errorf("a signature of an external signer: %v", err)
	}
	// The program signs with another key than it said.
	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "key.pub")); err != nil {
		t.Fatal(err)
	}
	if _, err := sign.Generate(filepath.Join(dir, "key"), sign.Ed25519); err != nil {
		t.Fatal(err)
	}
	if err := signed(t, k); err == nil || !strings.Contains(err.Error(), "the signature is not one of this key") {
		t.Errorf("a signature of another key: %v, want a refusal", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := signed(t, k); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a signature of a signer without a key: %v, want its last words", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		key  any
		text string
		want string
	}{
		{name: "rsa", key: weak, want: "a *rsa.PublicKey, want Ed25519 or ECDSA on P-256"},
		{name: "another curve", key: p384, want: "ECDSA on P-384, want P-256"},
		{name: "no key", text: "words", want: "no PEM block in it"},
		{name: "a certificate", text: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", want: `a PEM block "CERTIFICATE", want PRIVATE KEY or PUBLIC KEY`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			text := []byte(tt.text)
			if tt.key != nil {
				der, err := x509.MarshalPKCS8PrivateKey(tt.key)
				if err != nil {
					t.Fatal(err)
				}
				text = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := sign.Open(t.Context(), file)
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("Open(%s) = %v, want %q at the end", tt.name, err, tt.want)
			}
		})
	}
	if _, err := sign.Open(context.Background(), "exec:"); err == nil {
		t.Error("Open(exec:) = nil, want an error")
	}
}
