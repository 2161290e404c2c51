// Package nocloud writes the media from which machines without a metadata
// service take their user data: a CD image, or a disk with a FAT file system,
// both labelled "cidata", with a few files at the top.
//
// The same files always give the same bytes.
package nocloud

import (
	"cmp"
	"fmt"
	"slices"
)

// Label is the label by which media are found. Whoever looks compares without
// regard to case, as FAT has capital letters only.
const Label = "cidata"

// A File is one file of a medium.
type File struct {
	Name string // "user-data"
	Data []byte
}

// maxData bounds the files of one medium together.
const maxData = 12 << 20

// check refuses what does not fit a medium, and returns files sorted by name.
func check(files []File) ([]File, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	total := 0
	for i, f := range files {
		if !plain(f.Name) {
			return nil, fmt.Errorf("file name %q is not of small letters, digits and hyphens, with 1 to 26 of them", f.Name)
		}
		if i > 0 && files[i-1].Name == f.Name {
			return nil, fmt.Errorf("file %s is given twice", f.Name)
		}
		total += len(f.Data)
	}
	if len(files) > 8 || total > maxData {
		return nil, fmt.Errorf("%d files with %d bytes, want at most 8 with %d", len(files), total, maxData)
	}
	return files, nil
}

// plain reports whether name means the same to all file systems.
func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return name != "" && len(name) <= 26
}

// up returns how many blocks of the given size hold n bytes.
func up(n, size int) int { return (n + size - 1) / size }
