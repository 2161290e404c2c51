// Package sign makes the signatures of an update repository.
//
// A key is a file, or a program that keeps it somewhere else: in a token, in a
// service. Keys are Ed25519 or ECDSA on P-256.
package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/bulkhead-os/bulkhead/tools/run"
)

// Kinds of keys.
const (
	Ed25519 = "ed25519"
	ECDSA   = "ecdsa"
)

// program comes before the words of an external signer in its reference.
const program = "exec:"

// A Key is known by its public half, and can sign if the other is there.
type Key struct {
	ID     string
	Public *metadata.Key
	verify crypto.PublicKey
	sign   func(ctx context.Context, message []byte) ([]byte, error) // nil if it cannot
}

// CanSign reports whether the private half is there.
func (k Key) CanSign() bool { return k.sign != nil }

// Open returns the key that ref is about: a PEM file with a private key in
// PKCS #8, or with a public key, which cannot sign, or "exec:PROGRAM WORD…".
//
// Such a program is run with one more word. At "public" it prints the public
// key as PEM. At "sign" it reads a message and prints the signature, raw: 64
// bytes for Ed25519, ASN.1 over the SHA-256 of the message for ECDSA.
func Open(ctx context.Context, ref string) (Key, error) {
	words, external := strings.CutPrefix(ref, program)
	if external {
		return openProgram(ctx, strings.Fields(words))
	}
	text, err := os.ReadFile(ref)
	if err != nil {
		return Key{}, fmt.Errorf("open key: %w", err)
	}
	k, err := parse(text)
	if err != nil {
		return Key{}, fmt.Errorf("key %s: %w", ref, err)
	}
	return k, nil
}

// OpenAll opens each of refs.
func OpenAll(ctx context.Context, refs []string) ([]Key, error) {
	var keys []Key
	for _, ref := range refs {
		k, err := Open(ctx, ref)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func openProgram(ctx context.Context, words []string) (Key, error) {
	if len(words) == 0 {
		return Key{}, fmt.Errorf("key %q names no program", program)
	}
	text, err := run.Command{Args: append(words[:len(words):len(words)], "public")}.Output(ctx)
	if err != nil {
		return Key{}, fmt.Errorf("ask signer for its public key: %w", err)
	}
	k, err := parse(text)
	if err != nil {
		return Key{}, fmt.Errorf("signer %s: %w", words[0], err)
	}
	k.sign = func(ctx context.Context, message []byte) ([]byte, error) {
		c := run.Command{Args: append(words[:len(words):len(words)], "sign"), Stdin: bytes.NewReader(message)}
		return c.Output(ctx)
	}
	return k, nil
}

func parse(text []byte) (Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return Key{}, errors.New("no PEM block in it")
	}
	switch block.Type {
	case "PUBLIC KEY":
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, err
		}
		return known(public)
	case "PRIVATE KEY":
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return Key{}, err
		}
		return withPrivate(private)
	}
	return Key{}, fmt.Errorf("a PEM block %q, want PRIVATE KEY or PUBLIC KEY", block.Type)
}

func withPrivate(private any) (Key, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("a %T cannot sign", private)
	}
	k, err := known(signer.Public())
	if err != nil {
		return Key{}, err
	}
	k.sign = func(_ context.Context, message []byte) ([]byte, error) {
		if _, ok := signer.(ed25519.PrivateKey); ok {
			return signer.Sign(rand.Reader, message, crypto.Hash(0))
		}
		digest := sha256.Sum256(message)
		return signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	return k, nil
}

func known(public crypto.PublicKey) (Key, error) {
	switch p := public.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("ECDSA on %s, want P-256", p.Curve.Params().Name)
		}
	default:
		return Key{}, fmt.Errorf("a %T, want Ed25519 or ECDSA on P-256", public)
	}
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return Key{}, err
	}
	id, err := key.ID()
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, Public: key, verify: public}, nil
}

// Sign adds the signature of k to m, in the place of an earlier one. What an
// external signer returns is verified first: a wrong signature would show at
// nodes, and there is nothing then that could be done about it.
func Sign[T metadata.Roles](ctx context.Context, m *metadata.Metadata[T], k Key) error {
	message, err := cjson.EncodeCanonical(m.Signed)
	if err != nil {
		return err
	}
	signature, err := k.sign(ctx, message)
	if err != nil {
		return fmt.Errorf("sign with key %.8s: %w", k.ID, err)
	}
	if !k.accepts(message, signature) {
		return fmt.Errorf("sign with key %.8s: the signature is not one of this key", k.ID)
	}
	kept := []metadata.Signature{}
	for _, s := range m.Signatures {
		if s.KeyID != k.ID {
			kept = append(kept, s)
		}
	}
	m.Signatures = append(kept, metadata.Signature{KeyID: k.ID, Signature: signature})
	return nil
}

func (k Key) accepts(message, signature []byte) bool {
	switch p := k.verify.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(p, message, signature)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(p, digest[:], signature)
	}
	return false
}
