package image

import "crypto/sha256"

// identity returns the bytes that identify something of an image, the same in
// each build: nothing in an image is left to chance.
func identity(variant, what string) [32]byte {
	return sha256.Sum256([]byte("bulkhead\x00" + variant + "\x00" + what))
}

func identity16(variant, what string) [16]byte {
	id := identity(variant, what)
	b := [16]byte(id[:16])
	b[6] = b[6]&0x0f | 0x80 // a UUID of version 8: of our own making
	b[8] = b[8]&0x3f | 0x80
	return b
}
