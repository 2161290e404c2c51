package storage

import (
	"bytes"
	"errors"
	"io"

	"github.com/bulkhead-os/bulkhead/sources/internal/ext4"
)

// signatures tell what else than ext4 somebody may have put on a disk.
var signatures = []struct {
	name string
	at   int64
	text string
}{
	{"xfs", 0, "XFSB"},
	{"LUKS", 0, "LUKS\xba\xbe"},
	{"squashfs", 0, "hsqs"},
	{"NTFS", 3, "NTFS    "},
	{"FAT", 54, "FAT1"},
	{"FAT", 82, "FAT32"},
	{"LVM", 0, "LABELONE"},
	{"LVM", 512, "LABELONE"},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0"},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"RAID", 0, "\xfc\x4e\x2b\xa9"},
	{"RAID", 4096, "\xfc\x4e\x2b\xa9"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"swap", 4096 - 10, "SWAPSPACE2"},
	{"btrfs", 64<<10 + 64, "_BHRfS_M"},
}

// identify returns what begins at place of disk.
func identify(disk io.ReaderAt, place int64) Content {
	at := io.NewSectionReader(disk, place, 1<<62)
	s, err := ext4.Read(at)
	switch {
	case err == nil:
		return Content{System: &s}
	case !errors.Is(err, ext4.ErrNone):
		return Content{Fault: err}
	}
	for _, s := range signatures {
		b := make([]byte, len(s.text))
		if _, err := at.ReadAt(b, s.at); err != nil {
			return Content{Fault: err}
		}
		if bytes.Equal(b, []byte(s.text)) {
			return Content{Other: s.name}
		}
	}
	return Content{}
}
