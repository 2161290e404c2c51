package updatetest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/tools/verity"
)

// Variant is that of all nodes and releases of this package.
const Variant = "qemu-dev"

// Files of a release, by the names that a build gives them.
const (
	rootFile = "root.erofs"
	treeFile = "root.verity"
	ukiFile  = "uki.efi"
)

// A Release is a directory as a build leaves it.
type Release struct{ Dir, Version, RootHash string }

func (r Release) file(name string) string { return filepath.Join(r.Dir, name) }

// Root returns the root image.
func (r Release) Root() ([]byte, error) { return os.ReadFile(r.file(rootFile)) }

// MakeRelease makes a release of a root image, whose size is a multiple of 4096.
func MakeRelease(dir, version string, root []byte) (r Release, err error) {
	r = Release{Dir: filepath.Join(dir, version), Version: version}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return r, err
	}
	if err := os.WriteFile(r.file(rootFile), root, 0o644); err != nil {
		return r, err
	}
	if err := r.hash(); err != nil {
		return r, err
	}
	if err := os.WriteFile(r.file(ukiFile), bootProgram(version, r.RootHash), 0o644); err != nil {
		return r, err
	}
	manifest, err := json.Marshal(map[string]string{"variant": Variant, "version": version, "root-hash": r.RootHash})
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(r.file("manifest.json"), manifest, 0o644)
}

func (r *Release) hash() (err error) {
	in, err := os.Open(r.file(rootFile))
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(r.file(treeFile))
	if err != nil {
		return err
	}
	// The salt is that of the line of releases, the identifier that of one.
	h, err := verity.Format(out, in, info.Size(), verity.Params{Salt: [32]byte{1, 2, 3}, UUID: [16]byte([]byte(fmt.Sprintf("%-16.16s", r.Version)))})
	r.RootHash = h.String()
	return errors.Join(err, out.Close())
}

// Image returns a root image of so many blocks: bytes by chance, with a few blocks
// that are empty or there twice.
func Image(seed uint64, blocks int) []byte {
	b := make([]byte, blocks*verity.BlockSize)
	chance := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	for i := range blocks {
		block := b[i*verity.BlockSize:][:verity.BlockSize]
		switch {
		case i%37 == 5:
		case i%41 == 7:
			copy(block, b[:verity.BlockSize])
		default:
			_, _ = chance.Read(block) // it never fails
		}
	}
	return b
}

// Changed returns an image in which share of every 100 runs of 16 blocks are new, and
// the others lie elsewhere than before.
func Changed(b []byte, seed uint64, share int) []byte {
	const run = 16 * verity.BlockSize
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, 0, len(b))
	for at := 0; at < len(b); at += run {
		part := b[at:min(at+run, len(b))]
		if r.IntN(100) < share {
			part = Image(seed+uint64(at), len(part)/verity.BlockSize)
		}
		out = append(out, part...)
	}
	const shift = 5 * verity.BlockSize
	return append(append([]byte{}, out[shift:]...), out[:shift]...)
}

// bootProgram returns a program with what the loader and the updater read of one, and a
// kernel that differs little from that of other versions.
func bootProgram(version, root string) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x400)
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	le.PutUint16(b[0x44:], 0x8664)
	le.PutUint16(b[0x46:], 3)
	le.PutUint16(b[0x54:], 240)
	le.PutUint16(b[0x58:], 0x20b)
	le.PutUint32(b[0x58+60:], 0x400) // headers
	le.PutUint32(b[0x58+108:], 16)   // directories
	kernel := Image(1, 50)
	copy(kernel, version)
	for i, s := range []struct {
		name string
		data []byte
	}{
		{".osrel", []byte("ID=bulkhead\nIMAGE_ID=bulkhead-" + Variant + "\nIMAGE_VERSION=" + version + "\n")},
		{".cmdline", []byte("quiet roothash=" + root)},
		{".linux", kernel},
	} {
		size := (len(s.data) + 0x1ff) / 0x200 * 0x200
		h := b[0x58+240+40*i:]
		copy(h, s.name)
		le.PutUint32(h[8:], uint32(len(s.data)))
		le.PutUint32(h[16:], uint32(size))
		le.PutUint32(h[20:], uint32(len(b)))
		b = append(b, append(s.data, make([]byte, size-len(s.data))...)...)
	}
	return b
}
