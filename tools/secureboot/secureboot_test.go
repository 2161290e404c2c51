package secureboot_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkhead-os/bulkhead/api/authenticode"
	"github.com/bulkhead-os/bulkhead/tools/secureboot"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func keys(t *testing.T, dir string) secureboot.Keys {
	t.Helper()
	k, err := secureboot.LoadOrCreate(dir, now)
	if err != nil {
		t.Fatalf("LoadOrCreate(%s): %v", dir, err)
	}
	return k
}

// program returns the smallest PE file with two sections and something behind
// them.
func program() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x400)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x46:], 2)     // sections
	le.PutUint16(b[0x54:], 240)   // size of the optional header
	le.PutUint16(b[0x58:], 0x20b) // for 64 bits
	le.PutUint32(b[0x58+60:], 0x200)
	for i, at := range []uint32{0x300, 0x200} { // not in the order of the file
		h := b[0x58+240+40*i:]
		le.PutUint32(h[16:], 0x100)
		le.PutUint32(h[20:], at)
		copy(b[at:], []byte("section"))
	}
	return append(b, "behind"...)
}

func TestLoadOrCreateKeepsKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first := keys(t, dir)
	if again := keys(t, dir); !again.Database.Certificate.Equal(first.Database.Certificate) || !again.Platform.Private.Equal(first.Platform.Private) {
		t.Error("LoadOrCreate gives other keys the second time, want those that are there")
	}
	info, err := os.Stat(filepath.Join(dir, "secure-boot-db.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a private key is %v, %v, want 0600", info.Mode(), err)
	}
	// A cut before the certificate was written leaves no pair.
	if err := os.Remove(filepath.Join(dir, "secure-boot-db.crt")); err != nil {
		t.Fatal(err)
	}
	if again := keys(t, dir); again.Database.Certificate.Equal(first.Database.Certificate) {
		t.Error("LoadOrCreate gives a certificate that was removed")
	}
	if err := os.WriteFile(filepath.Join(dir, "secure-boot-db.crt"), []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secureboot.LoadOrCreate(dir, now); err == nil || !strings.Contains(err.Error(), "secure-boot-db.crt: no PEM block CERTIFICATE") {
		t.Errorf("LoadOrCreate with a broken certificate: %v, want the file named", err)
	}
}

func TestSign(t *testing.T) {
	dir := t.TempDir()
	k := keys(t, dir)
	signed, err := secureboot.Sign(program(), k.Database)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	if err := secureboot.Verify(signed, k.Database.Certificate); err != nil {
		t.Errorf("Verify of what was signed: %v", err)
	}
	again, err := secureboot.Sign(program(), k.Database)
	if err != nil || !bytes.Equal(again, signed) {
		t.Errorf("Sign the second time: %v, other bytes: %t, want the same", err, !bytes.Equal(again, signed))
	}
	if _, err := secureboot.Sign(signed, k.Database); !errors.Is(err, authenticode.ErrSigned) {
		t.Errorf("Sign of what is signed: %v, want %v", err, authenticode.ErrSigned)
	}
	if err := secureboot.Verify(program(), k.Database.Certificate); !errors.Is(err, authenticode.ErrNotSigned) {
		t.Errorf("Verify without a signature: %v, want %v", err, authenticode.ErrNotSigned)
	}
	if err := secureboot.Verify(signed, k.Platform.Certificate); err == nil {
		t.Error("Verify with another certificate: no error")
	}
}

// TestVerifyFindsEachChange changes every byte, one at a time. Three places are
// the firmware's business or nobody's: the checksum, the place of the signature,
// and the certificates that come with it.
func TestVerifyFindsEachChange(t *testing.T) {
	k := keys(t, t.TempDir())
	plain := program()
	signed, err := secureboot.Sign(plain, k.Database)
	if err != nil {
		t.Fatal(err)
	}
	const optional, checksum, security = 0x58, 64, 112 + 32
	for i := range (len(plain) + 7) &^ 7 {
		if i >= optional+checksum && i < optional+checksum+4 || i >= optional+security && i < optional+security+8 {
			continue
		}
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		if err := secureboot.Verify(changed, k.Database.Certificate); err == nil {
			t.Fatalf("Verify after a change of byte %#x: no error", i)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	k := keys(t, t.TempDir())
	outside := program()
	binary.LittleEndian.PutUint32(outside[0x58+240+16:], 1<<30)
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("#!/bin/sh\n"), "a section outside": outside, "cut off": program()[:0x60]} {
		if _, err := secureboot.Sign(b, k.Database); err == nil {
			t.Errorf("Sign of %s: no error", name)
		}
	}
}

// store returns an image of variables without any.
func store() []byte {
	le := binary.LittleEndian
	b := bytes.Repeat([]byte{0xff}, 16<<10)
	clear(b[:100])
	copy(b[40:], "_FVH")
	le.PutUint16(b[48:], 72)
	copy(b[72:], []byte{0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92})
	le.PutUint32(b[88:], uint32(len(b)-72))
	b[92], b[93] = 0x5a, 0xfe
	return b
}

func TestEnrol(t *testing.T) {
	k := keys(t, t.TempDir())
	image := store()
	got, err := secureboot.Enrol(image, k, now)
	if err != nil {
		t.Fatalf("Enrol: %v", err)
	}
	if !bytes.Equal(image, store()) || len(got) != len(image) || !bytes.Equal(got[:100], image[:100]) {
		t.Error("Enrol changed what it was given, or more than the free space")
	}
	for _, cert := range [][]byte{k.Platform.Certificate.Raw, k.Exchange.Certificate.Raw, k.Database.Certificate.Raw} {
		if !bytes.Contains(got, cert) {
			t.Error("Enrol left a certificate out")
		}
	}
	if _, err := secureboot.Enrol(got, k, now); err == nil || !strings.Contains(err.Error(), "has a platform key already") {
		t.Errorf("Enrol the second time: %v, want it refused", err)
	}
}

func TestEnrolRefuses(t *testing.T) {
	k := keys(t, t.TempDir())
	short := store()
	binary.LittleEndian.PutUint32(short[88:], 512)
	for name, tt := range map[string]struct {
		image []byte
		want  string
	}{
		"nothing":     {nil, "point outside"},
		"other bytes": {make([]byte, 4096), "not a firmware volume"},
		"full":        {short, "the firmware has"},
	} {
		if _, err := secureboot.Enrol(tt.image, k, now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Enrol into %s: %v, want an error with %q", name, err, tt.want)
		}
	}
}
