// Package verity describes dm-verity devices: the root hash that names one, and
// the superblock that says how its hash tree is laid out.
package verity

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// A RootHash is the SHA-256 at the top of a hash tree. It decides on every byte
// of the data.
type RootHash [32]byte

// ParseRootHash returns the root hash written as 64 hexadecimal digits.
func ParseRootHash(s string) (RootHash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(RootHash{}) {
		return RootHash{}, fmt.Errorf("root hash %q: want 64 hexadecimal digits", s)
	}
	return RootHash(b), nil
}

func (h RootHash) String() string { return hex.EncodeToString(h[:]) }

// Partitions returns the bytes of the UUIDs of the partitions for data and hash
// tree: the two halves of the root hash. A kernel that knows a root hash
// therefore finds this data and no other.
func (h RootHash) Partitions() (data, tree [16]byte) {
	return [16]byte(h[:16]), [16]byte(h[16:])
}

// A Superblock is what the first bytes of a hash partition say. It is not
// covered by the root hash: what it says is checked before it is used, and a lie
// in it only leads to blocks that cannot be read.
type Superblock struct {
	UUID       [16]byte
	DataBlock  uint32 // bytes in a block of data
	HashBlock  uint32 // bytes in a block of the tree
	DataBlocks uint64
	Salt       []byte
}

// superblock is the form on the disk.
type superblock struct {
	Signature  [8]byte
	Version    uint32
	HashType   uint32
	UUID       [16]byte
	Algorithm  [32]byte
	DataBlock  uint32
	HashBlock  uint32
	DataBlocks uint64
	SaltSize   uint16
	_          [6]byte
	Salt       [256]byte
	_          [168]byte
}

// ReadSuperblock returns the superblock at the start of a hash partition.
func ReadSuperblock(r io.Reader) (Superblock, error) {
	var sb superblock
	if err := binary.Read(r, binary.LittleEndian, &sb); err != nil {
		return Superblock{}, fmt.Errorf("verity superblock: %w", err)
	}
	if fault := sb.fault(); fault != "" {
		return Superblock{}, fmt.Errorf("verity superblock: %s", fault)
	}
	return Superblock{
		UUID: sb.UUID, DataBlock: sb.DataBlock, HashBlock: sb.HashBlock,
		DataBlocks: sb.DataBlocks, Salt: sb.Salt[:sb.SaltSize],
	}, nil
}

func (sb superblock) fault() string {
	algorithm := [32]byte{}
	copy(algorithm[:], "sha256")
	switch {
	case string(sb.Signature[:]) != "verity\x00\x00":
		return "none there"
	case sb.Version != 1:
		return fmt.Sprintf("version is %d, want 1", sb.Version)
	case sb.HashType != 1:
		return fmt.Sprintf("hash type is %d, want 1", sb.HashType)
	case sb.Algorithm != algorithm:
		return fmt.Sprintf("algorithm is %q, want sha256", sb.Algorithm[:])
	case !blockSize(sb.DataBlock), !blockSize(sb.HashBlock):
		return fmt.Sprintf("blocks have %d and %d bytes, want a power of two from 512 to 65536", sb.DataBlock, sb.HashBlock)
	case sb.DataBlocks == 0 || sb.DataBlocks > 1<<40:
		return fmt.Sprintf("data has %d blocks, want 1 to %d", sb.DataBlocks, uint64(1)<<40)
	case int(sb.SaltSize) > len(sb.Salt):
		return fmt.Sprintf("salt has %d bytes, want at most %d", sb.SaltSize, len(sb.Salt))
	}
	return ""
}

func blockSize(n uint32) bool { return n >= 512 && n <= 65536 && n&(n-1) == 0 }

// Size returns how many bytes of data the tree covers.
func (sb Superblock) Size() uint64 { return sb.DataBlocks * uint64(sb.DataBlock) }

// Table returns the parameters of the device-mapper target that gives the data
// device, checked by the tree on the tree device. Devices are named as
// MAJOR:MINOR. When a block is not what the root hash says the kernel restarts
// the machine, so that no program goes on with it.
func (sb Superblock) Table(data, tree string, root RootHash) string {
	salt := "-"
	if len(sb.Salt) > 0 {
		salt = hex.EncodeToString(sb.Salt)
	}
	// The tree begins in the block behind the superblock.
	return fmt.Sprintf("1 %s %s %d %d %d 1 sha256 %s %s 1 restart_on_corruption",
		data, tree, sb.DataBlock, sb.HashBlock, sb.DataBlocks, root, salt)
}
