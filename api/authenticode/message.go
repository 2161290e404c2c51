package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
)

// Object identifiers (PKCS #7, PKCS #9, NIST, and Microsoft's of Authenticode).
var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidImageData     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
)

var (
	algorithmSHA256 = pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}
	algorithmRSA    = pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
)

// imageData is the SpcPeImageData of every signature: no flags, and a file that
// has no name.
var imageData = []byte{0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00}

type indirectData struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Value     []byte
	}
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue
}

type signedMessage struct {
	Version      int
	Algorithms   []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      contentInfo
	Certificates asn1.RawValue
	Revocations  asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signer      `asn1:"set"`
}

type signer struct {
	Version         int
	Issuer          issuerAndSerial
	DigestAlgorithm pkix.AlgorithmIdentifier
	Attributes      asn1.RawValue
	Algorithm       pkix.AlgorithmIdentifier
	Signature       []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []any `asn1:"set"`
}

// signedData returns the PKCS #7 message by which key signs a program with the
// given digest. It holds no time of signing, which nobody could trust, and which
// would make each signature another one.
func signedData(digest [sha256.Size]byte, key *rsa.PrivateKey, cert *x509.Certificate) ([]byte, error) {
	content, err := indirect(digest)
	if err != nil {
		return nil, err
	}
	s, err := signContent(content, key, cert)
	if err != nil {
		return nil, err
	}
	message, err := asn1.Marshal(signedMessage{
		Version: 1, Algorithms: []pkix.AlgorithmIdentifier{algorithmSHA256},
		Content:      contentInfo{oidIndirectData, explicit(content)},
		Certificates: explicit(cert.Raw),
		Signers:      []signer{s},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, explicit(message)})
}

// explicit returns content with the tag [0] around it.
func explicit(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: content}
}

func indirect(digest [sha256.Size]byte) ([]byte, error) {
	var d indirectData
	d.Data.Type, d.Data.Value = oidImageData, asn1.RawValue{FullBytes: imageData}
	d.Digest.Algorithm, d.Digest.Value = algorithmSHA256, digest[:]
	return asn1.Marshal(d)
}

// signContent signs the content: its value, without the tag and length around
// it, as PKCS #7 wants it.
func signContent(content []byte, key *rsa.PrivateKey, cert *x509.Certificate) (signer, error) {
	var value asn1.RawValue
	if _, err := asn1.Unmarshal(content, &value); err != nil {
		return signer{}, err
	}
	sum := sha256.Sum256(value.Bytes)
	attributes, err := marshalAttributes([]attribute{
		{oidContentType, []any{oidIndirectData}},
		{oidMessageDigest, []any{sum[:]}},
	})
	if err != nil {
		return signer{}, err
	}
	// Signed is the set; what is sent has another tag in its place.
	set, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: attributes})
	if err != nil {
		return signer{}, err
	}
	hash := sha256.Sum256(set)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash[:])
	return signer{
		Version:         1,
		Issuer:          issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber},
		DigestAlgorithm: algorithmSHA256, Attributes: explicit(attributes), Algorithm: algorithmRSA, Signature: signature,
	}, err
}

// marshalAttributes returns the encodings of all, one after the other, in the
// order that DER has in a set.
func marshalAttributes(all []attribute) ([]byte, error) {
	var parts [][]byte
	for _, a := range all {
		b, err := asn1.Marshal(a)
		if err != nil {
			return nil, err
		}
		parts = append(parts, b)
	}
	slices.SortFunc(parts, bytes.Compare)
	return slices.Concat(parts...), nil
}
