package gpt

import "fmt"

// A GUID is kept as on the disk, where its first three parts have their bytes
// in reverse of how they are written.
type GUID [16]byte

// FromBytes returns the GUID that is written as the hexadecimal digits of b
// with hyphens between them.
func FromBytes(b [16]byte) GUID {
	return GUID{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

func (g GUID) String() string {
	b := FromBytes(g) // swapping twice gives the order of writing
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
