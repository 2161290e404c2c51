package authenticode

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"
)

// Kinds of what a database lists (UEFI specification, "EFI_SIGNATURE_DATA"), as
// the bytes on which they are kept.
var (
	kindHash            = [16]byte{0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28}
	kindCertificate     = [16]byte{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}
	kindCertificateHash = [16]byte{0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40, 0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03, 0xed}
)

// Sizes of the parts of a list.
const (
	listHeader = 28
	ownerSize  = 16
)

// A Database lists what a firmware trusts, or what it refuses.
type Database struct {
	Certificates      []*x509.Certificate
	Hashes            [][sha256.Size]byte // of programs, as their signatures have them
	CertificateHashes [][sha256.Size]byte // of the signed part of certificates
	// Unknown counts entries of other kinds. What they would refuse is not known.
	Unknown int
}

// ParseDatabase reads the value of the variable "db" or "dbx".
func ParseDatabase(b []byte) (Database, error) {
	var d Database
	le := binary.LittleEndian
	for len(b) > 0 {
		if len(b) < listHeader {
			return d, fmt.Errorf("signature database: %d bytes left over", len(b))
		}
		kind, size, header, each := [16]byte(b[:16]), uint64(le.Uint32(b[16:])), uint64(le.Uint32(b[20:])), uint64(le.Uint32(b[24:]))
		if size < listHeader+header || size > uint64(len(b)) || each <= ownerSize || (size-listHeader-header)%each != 0 {
			return d, fmt.Errorf("signature database: a list of %d bytes with entries of %d has %d bytes of room", size, each, len(b))
		}
		for e := range slices.Chunk(b[listHeader+header:size], int(each)) {
			if err := d.add(kind, e[ownerSize:]); err != nil {
				return d, fmt.Errorf("signature database: %w", err)
			}
		}
		b = b[size:]
	}
	return d, nil
}

func (d *Database) add(kind [16]byte, data []byte) error {
	switch {
	case kind == kindHash && len(data) == sha256.Size:
		d.Hashes = append(d.Hashes, [sha256.Size]byte(data))
	case kind == kindCertificateHash && len(data) >= sha256.Size: // a time of revocation follows
		d.CertificateHashes = append(d.CertificateHashes, [sha256.Size]byte(data))
	case kind == kindCertificate:
		c, err := x509.ParseCertificate(data)
		if err != nil {
			d.Unknown++ // firmware may read what we cannot: it is no reason to trust nothing
			return nil
		}
		d.Certificates = append(d.Certificates, c)
	case kind == kindHash:
		return fmt.Errorf("a hash has %d bytes, want %d", len(data), sha256.Size)
	default:
		d.Unknown++
	}
	return nil
}

// has reports whether d lists c.
func (d Database) has(c *x509.Certificate) bool {
	return slices.ContainsFunc(d.Certificates, func(o *x509.Certificate) bool { return bytes.Equal(o.Raw, c.Raw) }) ||
		slices.Contains(d.CertificateHashes, sha256.Sum256(c.RawTBSCertificate))
}
