package slots

import (
	"bytes"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bulkhead-os/bulkhead/sources/internal/efivar"
	"github.com/bulkhead-os/bulkhead/sources/internal/fatdir"
)

// LoaderFile is where an image has the loader that goes with it, below its root.
const LoaderFile = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"

// previousSuffix ends the name of what a loader has replaced.
const previousSuffix = ".previous"

// maxLoader bounds what is read of a loader.
const maxLoader = 8 << 20

// A LoaderStep puts the loader of the running version in the place of one on the
// ESP.
type LoaderStep struct {
	Dir, File string
	From, To  string // versions; From is empty for none that can be read
}

func (l LoaderStep) String() string {
	from := l.From
	if from == "" {
		from = "none that can be read"
	}
	return fmt.Sprintf("replace %s/%s: boot loader %s by %s", l.Dir, l.File, from, l.To)
}

// loaders are the places of the loader. The firmware starts the first by its
// entries, and the second where it has lost these or where the first fails.
var loaders = []LoaderStep{{Dir: "EFI/systemd", File: "systemd-bootx64.efi"}, {Dir: "EFI/BOOT", File: "BOOTX64.EFI"}}

// LoaderPlan returns what brings the loader up to the running version: nothing
// while a version is on trial, so that no boot tries two new things. The second
// place has its turn once a boot has come about by the first: until then it holds
// what worked before.
func (s *Session) LoaderPlan() []LoaderStep {
	run := s.View.running()
	if run == nil || run.Name.State() != Good || s.View.Memory.Attempt != nil || s.View.onTrial() {
		return nil
	}
	image, err := s.imageLoader()
	if err != nil {
		return nil // an image without
	}
	to := loaderVersion(bytes.NewReader(image))
	for i, l := range loaders {
		l.From, l.To = s.loaderOnESP(l), to
		if to == "" || l.From != "" && compareVersions(l.From, to) >= 0 {
			continue
		}
		proven := s.vars.Text("LoaderInfo", efivar.Loader) == loaderName+to
		if i > 0 && !proven || s.trusted(image) != nil {
			return nil
		}
		return []LoaderStep{l}
	}
	return nil
}

// onTrial reports whether the next boots try something.
func (v View) onTrial() bool {
	for _, e := range v.Entries {
		if e.Name.State() == Trial {
			return true
		}
	}
	return false
}

// imageLoader returns the loader of the image.
func (s *Session) imageLoader() ([]byte, error) {
	f, err := os.Open(filepath.Join(s.m.Root, LoaderFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLoader+1))
	if err == nil && len(data) > maxLoader {
		err = fmt.Errorf("%s has more than %d bytes", LoaderFile, maxLoader)
	}
	return data, err
}

// loaderOnESP returns the version of a loader, or "" where none can be read.
func (s *Session) loaderOnESP(l LoaderStep) string {
	dir, err := s.fs.Dir(l.Dir)
	if err != nil {
		return ""
	}
	f, ok := dir.Find(l.File)
	if !ok {
		return ""
	}
	r, err := s.fs.Open(f)
	if err != nil {
		return ""
	}
	return loaderVersion(r)
}

// loaderName stands before the version that a loader says it has, in a section
// of its file and in a variable of the firmware.
const loaderName = "systemd-boot "

// loaderVersion returns the version of a loader, or "" if it is none.
func loaderVersion(r io.ReaderAt) string {
	f, err := pe.NewFile(r)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := section(f, ".sdmagic")
	if err != nil {
		return ""
	}
	_, text, found := strings.Cut(text, "LoaderInfo: "+loaderName)
	if !found {
		return ""
	}
	version, _, _ := strings.Cut(text, " ")
	return version
}

// CarryLoader carries l out. The loader of the image is written beside the one
// that is there, and the two change places in one write: whenever the power is cut,
// the firmware finds the one or the other.
func (s *Session) CarryLoader(l LoaderStep) error {
	image, err := s.imageLoader()
	if err != nil {
		return err
	}
	dir, err := s.fs.Dir(l.Dir)
	if err != nil {
		return err
	}
	previous := l.File + previousSuffix
	if _, ok := dir.Find(previous); ok {
		if err := dir.Remove(previous); err != nil {
			return err
		}
	}
	if err := s.create(dir, previous, image); err != nil {
		return err
	}
	if err := s.verify(dir, previous, image); err != nil {
		return err
	}
	if _, ok := dir.Find(l.File); !ok {
		return dir.Rename(previous, l.File)
	}
	return dir.Swap(l.File, previous)
}

// create makes a file, if need be with the room that earlier attempts have lost.
func (s *Session) create(dir *fatdir.Dir, name string, data []byte) error {
	err := dir.Create(name, int64(len(data)), bytes.NewReader(data))
	if errors.Is(err, fatdir.ErrFull) {
		if err := s.fs.Reclaim(); err != nil {
			return err
		}
		err = dir.Create(name, int64(len(data)), bytes.NewReader(data))
	}
	return err
}

// verify reads back what was written.
func (s *Session) verify(dir *fatdir.Dir, name string, want []byte) error {
	f, ok := dir.Find(name)
	if !ok {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	r, err := s.fs.Open(f)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s does not hold what was written to it", name)
	}
	return nil
}
