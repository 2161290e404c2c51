package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
)

// OS are the facts about the running image.
type OS struct {
	VariantID  string `json:"variant_id"`
	Arch       string `json:"arch"`
	VersionID  string `json:"version_id"`
	PrettyName string `json:"pretty_name"`
	BuildID    string `json:"build_id"`
}

// Arch returns the architecture to tell where there is no image: that of the
// machine, or the first that the variant is made for.
func Arch(supported []string) string {
	name := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if len(supported) == 0 || slices.Contains(supported, name) {
		return name
	}
	return supported[0]
}

// ReadOS reads the os-release file of the image whose root is image. What it
// does not say stays empty.
func ReadOS(image fs.FS) (OS, error) {
	var o OS
	f, err := image.Open("usr/lib/os-release")
	if errors.Is(err, fs.ErrNotExist) {
		f, err = image.Open("etc/os-release")
	}
	if err != nil {
		return o, fmt.Errorf("read os-release: %w", err)
	}
	defer f.Close()
	fields := map[string]*string{
		"VARIANT_ID": &o.VariantID, "VERSION_ID": &o.VersionID, "PRETTY_NAME": &o.PrettyName, "BUILD_ID": &o.BuildID,
	}
	lines := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if field := fields[name]; ok && field != nil {
			*field = unquote(value)
		}
	}
	if err := lines.Err(); err != nil {
		return o, fmt.Errorf("read os-release: %w", err)
	}
	return o, nil
}

// unquote takes the quotes of a shell assignment away.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	quote, s := s[0], s[1:len(s)-1]
	if quote == '\'' {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// facts are what GET /os tells: the facts about the image, and those about the
// machine where they are known.
type facts struct {
	OS
	Machine
	Uptime *float64 `json:"uptime,omitempty"` // seconds since the start of the kernel
}

func (s *Server) facts() facts {
	f := facts{OS: s.opt.OS, Machine: s.opt.Machine}
	if f.BootID != "" {
		f.Uptime = uptime()
	}
	return f
}

// under returns the facts that prefix selects; those who only begin to name the
// section mean all.
func (f facts) under(prefix string) map[string]any {
	if prefix = strings.TrimPrefix(prefix, osSection); strings.HasPrefix(osSection, prefix) {
		prefix = ""
	}
	b, err := json.Marshal(f)
	if err != nil { // strings and a number
		panic("server: " + err.Error())
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		panic("server: " + err.Error())
	}
	for name := range m {
		if !strings.HasPrefix(name, prefix) {
			delete(m, name)
		}
	}
	return m
}

// getOS answers GET /os.
func (s *Server) getOS(c *call) error {
	prefix, given, err := c.query.text("prefix")
	if err != nil {
		return err
	}
	if !given {
		return c.sendJSON(s.facts())
	}
	return c.sendJSON(s.facts().under(prefix))
}
