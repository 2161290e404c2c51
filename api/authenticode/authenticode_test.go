package authenticode_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkhead-os/bulkhead/api/authenticode"
)

type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// certify returns a key with a certificate by the issuer, or by itself without
// one. It ran out long ago, which firmware does not mind.
func certify(t *testing.T, name string, issuer *pair) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + 1), Subject: pkix.Name{CommonName: name}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
	}
	p := pair{key: key}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err == nil {
		p.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// program returns the smallest PE file with a section.
func program() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x300)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x46:], 1)
	le.PutUint16(b[0x54:], 240)
	le.PutUint16(b[0x58:], 0x20b)
	le.PutUint32(b[0x58+60:], 0x200)
	h := b[0x58+240:]
	le.PutUint32(h[16:], 0x100)
	le.PutUint32(h[20:], 0x200)
	copy(b[0x200:], "section")
	return b
}

func sign(t *testing.T, p pair) []byte {
	t.Helper()
	b, err := authenticode.Sign(program(), p.key, p.cert)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return b
}

func certificates(all ...pair) (d authenticode.Database) {
	for _, p := range all {
		d.Certificates = append(d.Certificates, p.cert)
	}
	return d
}

// imageHash returns the hash of the program by which firmware knows it.
func imageHash() [sha256.Size]byte {
	b := program()
	h := sha256.New()
	h.Write(b[:0x58+64])
	h.Write(b[0x58+68 : 0x58+144])
	h.Write(b[0x58+152:])
	return [sha256.Size]byte(h.Sum(nil))
}

func TestCheck(t *testing.T) {
	owner, other := certify(t, "owner", nil), certify(t, "somebody", nil)
	child := certify(t, "release key", &owner)
	hash := authenticode.Database{Hashes: [][sha256.Size]byte{imageHash()}}
	unsigned, signed, byChild := program(), sign(t, owner), sign(t, child)
	changed := bytes.Clone(signed)
	changed[0x210] ^= 1
	tests := []struct {
		name               string
		program            []byte
		allowed, forbidden authenticode.Database
		want               error
	}{
		{name: "by the one who is trusted", program: signed, allowed: certificates(other, owner)},
		{name: "by one whom the trusted one certified", program: byChild, allowed: certificates(owner)},
		{name: "by one who is trusted, of another", program: byChild, allowed: certificates(child)},
		{name: "by somebody else", program: signed, allowed: certificates(other), want: authenticode.ErrUntrusted},
		{name: "trusting nobody", program: signed, want: authenticode.ErrUntrusted},
		{name: "changed", program: changed, allowed: certificates(owner), want: authenticode.ErrChanged},
		{name: "not signed", program: unsigned, allowed: certificates(owner), want: authenticode.ErrNotSigned},
		{name: "not signed, known by its hash", program: unsigned, allowed: hash},
		{name: "refused by its hash", program: signed, allowed: certificates(owner), forbidden: hash, want: authenticode.ErrForbidden},
		{name: "refused signer", program: signed, allowed: certificates(owner), forbidden: certificates(owner), want: authenticode.ErrForbidden},
		{name: "refused issuer", program: byChild, allowed: certificates(owner), forbidden: certificates(owner), want: authenticode.ErrForbidden},
		{
			name: "refused by the hash of a certificate", program: signed, allowed: certificates(owner), want: authenticode.ErrForbidden,
			forbidden: authenticode.Database{CertificateHashes: [][sha256.Size]byte{sha256.Sum256(owner.cert.RawTBSCertificate)}},
		},
		{name: "others are refused", program: signed, allowed: certificates(owner), forbidden: certificates(other)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := authenticode.Check(tt.program, tt.allowed, tt.forbidden); !errors.Is(err, tt.want) {
				t.Errorf("Check: %v, want %v", err, tt.want)
			}
		})
	}
}

// list returns a list of a database, of a kind that is given as on the disk.
func list(kind string, entries ...[]byte) []byte {
	le := binary.LittleEndian
	each := 16 + len(entries[0])
	b := append([]byte(kind), make([]byte, 12)...)
	le.PutUint32(b[16:], uint32(28+each*len(entries)))
	le.PutUint32(b[24:], uint32(each))
	for _, e := range entries {
		b = append(append(b, make([]byte, 16)...), e...)
	}
	return b
}

const (
	kindHash = "\x26\x16\xc4\xc1\x4c\x50\x92\x40\xac\xa9\x41\xf9\x36\x93\x43\x28"
	kindX509 = "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"
)

func TestParseDatabase(t *testing.T) {
	owner := certify(t, "owner", nil)
	one, two := sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))
	b := append(list(kindHash, one[:], two[:]), list(kindX509, owner.cert.Raw)...)
	b = append(b, list("another kind ...", []byte("x"))...)
	got, err := authenticode.ParseDatabase(b)
	if err != nil {
		t.Fatalf("ParseDatabase: %v", err)
	}
	want := authenticode.Database{Certificates: []*x509.Certificate{owner.cert}, Hashes: [][sha256.Size]byte{one, two}, Unknown: 1}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *x509.Certificate) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("ParseDatabase (-want +got):\n%s", diff)
	}
	for name, b := range map[string][]byte{"cut off": b[:len(b)-1], "a header alone": b[:28], "part of a header": b[:20]} {
		if _, err := authenticode.ParseDatabase(b); err == nil || !strings.HasPrefix(err.Error(), "signature database: ") {
			t.Errorf("ParseDatabase of %s: %v, want an error", name, err)
		}
	}
}

func FuzzParseDatabase(f *testing.F) {
	one := sha256.Sum256([]byte("1"))
	f.Add(list(kindHash, one[:]))
	f.Add(list(kindX509, []byte("none")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := authenticode.ParseDatabase(b)
		if n := len(d.Certificates) + len(d.Hashes) + len(d.CertificateHashes) + d.Unknown; err == nil && n > len(b)/17 {
			t.Errorf("ParseDatabase of %d bytes finds %d entries in them", len(b), n)
		}
	})
}

// tableAt returns b with its headers naming a table of signatures of size bytes
// at a place.
func tableAt(b []byte, at, size uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[0x58+144:], at)
	binary.LittleEndian.PutUint32(b[0x58+148:], size)
	return b
}

// Headers that point elsewhere than into the program are a fault of it, however
// much memory lies behind it.
func TestCheckOfSpoiledHeaders(t *testing.T) {
	owner := certify(t, "owner", nil)
	signed := sign(t, owner)
	end := uint32(len(signed))
	section := bytes.Clone(program())
	binary.LittleEndian.PutUint32(section[0x58+240+16:], 0x180) // longer than the program
	tests := []struct {
		name    string
		program []byte
		want    string
	}{
		{"table behind the end", tableAt(signed, end+8, 8), "its signature lies outside of it"},
		{"table far behind the end", tableAt(signed, 1<<31, 8), "its signature lies outside of it"},
		{"table over the end", tableAt(signed, end-8, 16), "its signature lies outside of it"},
		{"table before the end", append(bytes.Clone(signed), "appended"...), "its signature is not at its end"},
		{"table in the headers", tableAt(signed, 0x100, end-0x100), "its signature lies outside of it"},
		{"section over the end", section, "not a PE program: its headers point outside of it"},
		{"nothing", []byte{}, "not a PE program: its headers point outside of it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room := append(make([]byte, 0, len(tt.program)+1<<12), tt.program...)
			if err := authenticode.Check(room, certificates(owner), authenticode.Database{}); err == nil || err.Error() != tt.want {
				t.Errorf("Check: %v, want %s", err, tt.want)
			}
		})
	}
}

// Nothing that is not signed is accepted, whatever its bytes.
func FuzzCheck(f *testing.F) {
	f.Add(program())
	f.Add(tableAt(program(), 0x300, 8))
	f.Add(tableAt(program(), 0x2f8, 8))
	f.Add(tableAt(program(), 1<<31, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := authenticode.Check(b, authenticode.Database{}, authenticode.Database{}); err == nil {
			t.Error("Check accepts a program when nobody is trusted")
		}
	})
}
