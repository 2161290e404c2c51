package secureboot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/bulkhead-os/bulkhead/tools/disk"
)

// Names of the vendors of variables, and of a signature list of certificates
// (UEFI 2.10, 3.3, 32.4.1; SecureBootEnable is EDK2's).
const (
	vendorGlobal     = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	vendorDatabase   = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
	vendorEnable     = "f0a30bc7-af08-4556-99c4-001009c93a44"
	listCertificates = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
)

// Attributes of variables (UEFI 2.10, 8.2).
const (
	attributeStored        = 0x01
	attributeBoot          = 0x02
	attributeRuntime       = 0x04
	attributeAuthenticated = 0x20
)

// The store of variables as EDK2 keeps it (MdeModulePkg, VariableFormat.h).
const (
	volumeSignature = "_FVH" // at 40 of the firmware volume
	storeFormatted  = 0x5a
	storeHealthy    = 0xfe
	storeHeader     = 28
	variableStart   = 0x55aa
	variableAdded   = 0x3f
	variableHeader  = 60
)

// authenticatedStore begins a store whose variables have times.
var authenticatedStore = []byte{0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92}

// owner is who all keys are enrolled by.
const owner = "0c9c29ca-7f0a-4be5-8ea5-1e4d9fc6a11e"

type variable struct {
	name, vendor string
	attributes   uint32
	data         []byte
}

// Enrol returns the variables of an OVMF firmware, an image as the emulator maps
// it, with keys in them and Secure Boot on. The keys must not be there yet.
func Enrol(image []byte, keys Keys, now time.Time) ([]byte, error) {
	from, to, err := freeSpace(image)
	if err != nil {
		return nil, fmt.Errorf("enrol keys: %w", err)
	}
	const keyAttributes = attributeStored | attributeBoot | attributeRuntime | attributeAuthenticated
	var added []byte
	for _, k := range []struct {
		name, vendor string
		key          Key
	}{
		// The platform key comes last: with it the rest is closed.
		{"db", vendorDatabase, keys.Database}, {"KEK", vendorGlobal, keys.Exchange}, {"PK", vendorGlobal, keys.Platform},
	} {
		list, err := signatureList(k.key.Certificate.Raw)
		if err != nil {
			return nil, err
		}
		if added, err = appendVariable(added, variable{k.name, k.vendor, keyAttributes, list}, now); err != nil {
			return nil, err
		}
	}
	added, err = appendVariable(added, variable{"SecureBootEnable", vendorEnable, attributeStored | attributeBoot, []byte{1}}, time.Time{})
	if err != nil {
		return nil, err
	}
	if len(added) > to-from {
		return nil, fmt.Errorf("enrol keys: they take %d bytes, the firmware has %d left", len(added), to-from)
	}
	out := bytes.Clone(image)
	copy(out[from:], added)
	return out, nil
}

// freeSpace returns the part of the store that holds nothing yet.
func freeSpace(image []byte) (from, to int, err error) {
	defer func() {
		if recover() != nil { // an index out of range: every place comes from the image itself
			err = errors.New("not an OVMF store of variables: its headers point outside of it")
		}
	}()
	le := binary.LittleEndian
	if string(image[40:44]) != volumeSignature {
		return 0, 0, errors.New("not a firmware volume")
	}
	store := int(le.Uint16(image[48:]))
	if !bytes.Equal(image[store:store+16], authenticatedStore) || image[store+20] != storeFormatted || image[store+21] != storeHealthy {
		return 0, 0, errors.New("not an OVMF store of variables with times")
	}
	to = store + int(le.Uint32(image[store+16:]))
	for from = store + storeHeader; from < to && le.Uint16(image[from:]) == variableStart; from = (from + 3) &^ 3 {
		name, data := int(le.Uint32(image[from+36:])), int(le.Uint32(image[from+40:]))
		if text := decodeName(image[from+variableHeader : from+variableHeader+name]); text == "PK" && image[from+2] == variableAdded {
			return 0, 0, errors.New("the firmware has a platform key already; start with a fresh image of its variables")
		}
		from += variableHeader + name + data
	}
	_ = image[from:to]
	return from, to, nil
}

func decodeName(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		if u := binary.LittleEndian.Uint16(b[i:]); u != 0 {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}

// appendVariable adds v to a store. The firmware takes times as the age of an
// authenticated variable: older ones cannot replace it.
func appendVariable(b []byte, v variable, at time.Time) ([]byte, error) {
	vendor, err := disk.ParseGUID(v.vendor)
	if err != nil {
		return nil, err
	}
	var name []byte
	for _, u := range append(utf16.Encode([]rune(v.name)), 0) {
		name = binary.LittleEndian.AppendUint16(name, u)
	}
	le := binary.LittleEndian
	b = le.AppendUint16(b, variableStart)
	b = append(b, variableAdded, 0)
	b = le.AppendUint32(b, v.attributes)
	b = le.AppendUint64(b, 0) // monotonic count
	b = append(b, efiTime(at)...)
	b = le.AppendUint32(b, 0) // index of a public key
	b = le.AppendUint32(b, uint32(len(name)))
	b = le.AppendUint32(b, uint32(len(v.data)))
	b = append(b, vendor[:]...)
	b = append(append(b, name...), v.data...)
	for len(b)%4 != 0 {
		b = append(b, 0xff)
	}
	return b, nil
}

// efiTime returns the time as firmware writes it, and zeros for none.
func efiTime(t time.Time) []byte {
	b := make([]byte, 16)
	if t.IsZero() {
		return b
	}
	t = t.UTC()
	binary.LittleEndian.PutUint16(b, uint16(t.Year()))
	b[2], b[3], b[4], b[5], b[6] = byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second())
	return b
}

// signatureList returns the list that holds one certificate.
func signatureList(cert []byte) ([]byte, error) {
	kind, err := disk.ParseGUID(listCertificates)
	if err != nil {
		return nil, err
	}
	who, err := disk.ParseGUID(owner)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	size := uint32(16 + len(cert))
	b := append([]byte{}, kind[:]...)
	b = le.AppendUint32(b, 28+size)
	b = le.AppendUint32(b, 0) // no header
	b = le.AppendUint32(b, size)
	b = append(b, who[:]...)
	return append(b, cert...), nil
}
