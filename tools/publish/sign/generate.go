package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Generate makes a key of the kind and writes it to file, for its owner alone,
// and its public half to file.pub. It replaces neither.
func Generate(file, kind string) (Key, error) {
	private, err := generate(kind)
	if err != nil {
		return Key{}, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return Key{}, err
	}
	if err := create(file, 0o600, "PRIVATE KEY", secret); err != nil {
		return Key{}, err
	}
	if err := create(file+".pub", 0o644, "PUBLIC KEY", public); err != nil {
		return Key{}, err
	}
	return withPrivate(private)
}

func generate(kind string) (crypto.Signer, error) {
	switch kind {
	case Ed25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("no kind of key %q, want %s or %s", kind, Ed25519, ECDSA)
}

func create(file string, perm os.FileMode, kind string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: data}), f.Sync(), f.Close())
}
