package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Faults that Check finds.
var (
	ErrNotSigned = errors.New("it has no signature")
	ErrChanged   = errors.New("it is not what was signed")
	ErrUntrusted = errors.New("nobody signed it whom the firmware trusts")
	ErrForbidden = errors.New("the firmware forbids it")
)

// maxChain is how many certificates may stand between a signature and one that is
// trusted.
const maxChain = 8

// Check says whether a firmware starts the program b, when it trusts what is
// allowed unless it is forbidden: the databases "db" and "dbx" of UEFI. As in
// firmware, one good signature is enough, and certificates do not expire.
func Check(b []byte, allowed, forbidden Database) error {
	p, err := parseProgram(b)
	if err != nil {
		return err
	}
	digest := p.digest()
	if slices.Contains(forbidden.Hashes, digest) {
		return fmt.Errorf("%w: its hash %s is on the list of refused ones", ErrForbidden, hex.EncodeToString(digest[:]))
	}
	if slices.Contains(allowed.Hashes, digest) {
		return nil
	}
	all, err := p.signatures()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return ErrNotSigned
	}
	var errs []error
	for _, s := range all {
		if err = checkMessage(s, digest, allowed, forbidden); err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Verify checks that b is a program which the owner of cert signed as it is.
func Verify(b []byte, cert *x509.Certificate) error {
	return Check(b, Database{Certificates: []*x509.Certificate{cert}}, Database{})
}

// signatures returns the PKCS #7 messages behind p.
func (p program) signatures() ([][]byte, error) {
	s := p.signature()
	if s.from == 0 {
		return nil, nil
	}
	var all [][]byte
	for table := p.b[s.from:s.to]; len(table) >= 8; {
		length := int(binary.LittleEndian.Uint32(table))
		if length < 8 || length > len(table) {
			return nil, errOutside
		}
		if binary.LittleEndian.Uint16(table[6:]) == certificatePKCS7 {
			all = append(all, table[8:length])
		}
		table = table[min((length+7)&^7, len(table)):]
	}
	return all, nil
}

// checkMessage checks one signature of a program that has the given digest.
func checkMessage(b []byte, digest [sha256.Size]byte, allowed, forbidden Database) error {
	var info contentInfo
	if _, err := asn1.Unmarshal(b, &info); err != nil {
		return fmt.Errorf("its signature: %w", err)
	}
	var message signedMessage
	if _, err := asn1.Unmarshal(info.Content.Bytes, &message); err != nil {
		return fmt.Errorf("its signature: %w", err)
	}
	content := message.Content.Content.Bytes
	if err := checkContent(content, digest); err != nil {
		return err
	}
	if len(message.Signers) != 1 {
		return fmt.Errorf("its signature has %d signers, want one", len(message.Signers))
	}
	sent, err := x509.ParseCertificates(message.Certificates.Bytes)
	if err != nil {
		return fmt.Errorf("its signature: %w", err)
	}
	s := message.Signers[0]
	leaf := s.find(slices.Concat(sent, allowed.Certificates))
	if leaf == nil {
		return errors.New("its signature comes without the certificate of the signer")
	}
	if err := s.verify(content, leaf); err != nil {
		return err
	}
	return checkChain(leaf, sent, allowed, forbidden)
}

// checkContent checks that content names the digest.
func checkContent(content []byte, digest [sha256.Size]byte) error {
	var d indirectData
	rest, err := asn1.Unmarshal(content, &d)
	if err != nil || len(rest) > 0 {
		return ErrChanged
	}
	if !d.Digest.Algorithm.Algorithm.Equal(oidSHA256) {
		return fmt.Errorf("its signature has a hash of the kind %v, want SHA-256", d.Digest.Algorithm.Algorithm)
	}
	if !bytes.Equal(d.Digest.Value, digest[:]) {
		return ErrChanged
	}
	return nil
}

// find returns the certificate that s names.
func (s signer) find(certs []*x509.Certificate) *x509.Certificate {
	for _, c := range certs {
		if bytes.Equal(c.RawIssuer, s.Issuer.Issuer.FullBytes) && s.Issuer.Serial != nil && c.SerialNumber.Cmp(s.Issuer.Serial) == 0 {
			return c
		}
	}
	return nil
}

// verify checks that the owner of cert signed attributes which name the content.
func (s signer) verify(content []byte, cert *x509.Certificate) error {
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the certificate has a %T, want RSA", cert.PublicKey)
	}
	if !s.DigestAlgorithm.Algorithm.Equal(oidSHA256) {
		return fmt.Errorf("its signature is over a hash of the kind %v, want SHA-256", s.DigestAlgorithm.Algorithm)
	}
	var value asn1.RawValue
	if _, err := asn1.Unmarshal(content, &value); err != nil {
		return err
	}
	sum := sha256.Sum256(value.Bytes)
	if !hasDigest(s.Attributes.Bytes, sum[:]) {
		return ErrChanged
	}
	// Signed is the set; what is sent has another tag in its place.
	set, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: s.Attributes.Bytes})
	if err != nil {
		return err
	}
	hash := sha256.Sum256(set)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], s.Signature); err != nil {
		return fmt.Errorf("its signature: %w", err)
	}
	return nil
}

// hasDigest reports whether attributes, one after the other, name the digest of
// the content, and no other.
func hasDigest(attributes, digest []byte) bool {
	found := false
	for len(attributes) > 0 {
		var a struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		rest, err := asn1.Unmarshal(attributes, &a)
		if err != nil {
			return false
		}
		attributes = rest
		if !a.Type.Equal(oidMessageDigest) {
			continue
		}
		if found || len(a.Values) != 1 || !bytes.Equal(a.Values[0].Bytes, digest) {
			return false
		}
		found = true
	}
	return found
}

// checkChain looks for a way from leaf to a certificate that is allowed, past
// none that is forbidden.
func checkChain(leaf *x509.Certificate, sent []*x509.Certificate, allowed, forbidden Database) error {
	at := leaf
	for range maxChain {
		if forbidden.has(at) {
			return fmt.Errorf("%w: the certificate of %s is on the list of refused ones", ErrForbidden, name(at.Subject))
		}
		if allowed.has(at) {
			return nil
		}
		if parent := issuer(at, allowed.Certificates); parent != nil {
			at = parent
			continue
		}
		parent := issuer(at, sent)
		if parent == nil || parent.Equal(at) {
			break
		}
		at = parent
	}
	return fmt.Errorf("%w: it is signed by %s", ErrUntrusted, name(leaf.Subject))
}

// issuer returns the one of certs whose owner signed c.
func issuer(c *x509.Certificate, certs []*x509.Certificate) *x509.Certificate {
	for _, p := range certs {
		if bytes.Equal(p.RawSubject, c.RawIssuer) && p.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return p
		}
	}
	return nil
}

func name(n pkix.Name) string {
	if n.CommonName != "" {
		return fmt.Sprintf("%q", n.CommonName)
	}
	return fmt.Sprintf("%q", n.String())
}
