package secureboot

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// A Key signs, and its certificate says so. RSA with 2048 bits is what every
// firmware can verify.
type Key struct {
	Private     *rsa.PrivateKey
	Certificate *x509.Certificate
}

// Keys are those that the trust of a firmware rests on.
type Keys struct {
	Platform Key // PK: who owns the machine
	Exchange Key // KEK: who may change the lists of what is trusted
	Database Key // db: who signs programs
}

// Names of the keys in their directory, each as NAME.key and NAME.crt.
var keyNames = [...]struct{ file, about string }{
	{"secure-boot-pk", "Bulkhead development platform key"},
	{"secure-boot-kek", "Bulkhead development key exchange key"},
	{"secure-boot-db", "Bulkhead development signature key"},
}

// validity is as long as a machine may live: firmware has no way to renew, and
// most of it does not look at the time.
const validity = 30 * 365 * 24 * time.Hour

// LoadOrCreate returns the keys in dir, and makes those that are not there.
func LoadOrCreate(dir string, now time.Time) (Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Keys{}, err
	}
	var all [len(keyNames)]Key
	for i, n := range keyNames {
		k, err := loadKey(filepath.Join(dir, n.file))
		if errors.Is(err, fs.ErrNotExist) {
			k, err = createKey(filepath.Join(dir, n.file), n.about, now)
		}
		if err != nil {
			return Keys{}, fmt.Errorf("key %s: %w", n.file, err)
		}
		all[i] = k
	}
	return Keys{Platform: all[0], Exchange: all[1], Database: all[2]}, nil
}

// loadKey reads base.key and base.crt. The certificate is written last: with it
// the pair is whole, without it there is no pair.
func loadKey(base string) (Key, error) {
	cert, err := readBlock(base+".crt", "CERTIFICATE")
	if err != nil {
		return Key{}, err
	}
	private, err := readBlock(base+".key", "PRIVATE KEY")
	if err != nil {
		return Key{}, err
	}
	k, err := ParseKey(private, cert)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", base, err)
	}
	return k, nil
}

// ParseKey returns the pair of a private key, in PKCS #8, and its certificate.
func ParseKey(private, certificate []byte) (Key, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return Key{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return Key{}, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return Key{}, fmt.Errorf("the private key is a %T, want RSA", parsed)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return Key{}, errors.New("the private key is not that of the certificate")
	}
	return Key{Private: key, Certificate: cert}, nil
}

func readBlock(file, kind string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s: no PEM block %s", file, kind)
	}
	return block.Bytes, nil
}

func createKey(base, about string, now time.Time) (Key, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Key{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Key{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: about},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		IsCA:        true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Key{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Key{}, err
	}
	for _, f := range []struct {
		name, kind string
		data       []byte
		perm       fs.FileMode
	}{{base + ".key", "PRIVATE KEY", private, 0o600}, {base + ".crt", "CERTIFICATE", cert, 0o644}} {
		if err := os.WriteFile(f.name, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.data}), f.perm); err != nil {
			return Key{}, err
		}
	}
	return ParseKey(private, cert)
}
