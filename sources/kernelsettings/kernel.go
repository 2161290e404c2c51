package kernelsettings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A machine is the files of a kernel below a directory.
type machine struct{ root *os.Root }

func (m machine) read(file string) (string, error) {
	data, err := m.root.ReadFile(file)
	return string(data), err
}

// carryOut writes the value of s and says what kept it from being there then.
func (m machine) carryOut(s Step) string {
	f, err := m.root.OpenFile(s.File, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("the kernel has no /%s", s.File)
	}
	if err == nil {
		_, err = f.WriteString(s.Value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Sprintf("write %s: %v", s.Value, err)
	}
	text, err := m.read(s.File)
	switch have := chosen(text); {
	case err != nil:
		return err.Error()
	case have == s.Value:
		return ""
	case s.Choice:
		return fmt.Sprintf("/%s is %s, want %s", s.File, have, s.Value)
	default:
		return fmt.Sprintf("the kernel set aside %s of %s pages", strings.TrimSpace(have), s.Value)
	}
}
