package image

import (
	"fmt"
	"path"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// assignments returns the values that a unit file gives to a key of a section,
// in order. An empty value takes back those before it.
func assignments(unit []byte, section, key string) []string {
	var out []string
	in := false
	text := strings.ReplaceAll(string(unit), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = line == "["+section+"]"
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !in || !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") || strings.TrimSpace(name) != key {
			continue
		}
		value = strings.TrimSpace(value)
		if value == "" {
			out = nil
			continue
		}
		out = append(out, value)
	}
	return out
}

// words returns the words of a key that takes lists.
func words(unit []byte, section, key string) []string {
	var out []string
	for _, v := range assignments(unit, section, key) {
		out = append(out, strings.Fields(v)...)
	}
	return out
}

// starts returns the programs that a unit starts, as paths.
func starts(unit []byte) []string {
	var out []string
	for _, key := range []string{"ExecCondition", "ExecStartPre", "ExecStart"} {
		for _, v := range assignments(unit, "Service", key) {
			word := strings.TrimLeft(strings.Fields(v)[0], "@-:+!|")
			if strings.HasPrefix(word, "/") {
				out = append(out, word)
			}
		}
	}
	return out
}

// enable makes the links that start a unit at boot. They lie beside the units,
// since /etc belongs to the settings.
func (c contents) enable(name string) error {
	text, err := c.read(path.Join(unitDir, name))
	if err != nil {
		return fmt.Errorf("enable unit: %w", err)
	}
	for _, alias := range words(text, "Install", "Alias") {
		c.link(path.Join(unitDir, alias), name)
	}
	for key, kind := range map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires"} {
		for _, by := range words(text, "Install", key) {
			c.link(path.Join(unitDir, by+kind, name), "../"+name)
		}
	}
	return nil
}

// An Absence is a program that a package names and the image lacks.
type Absence struct {
	Package string   `json:"package"`
	Program string   `json:"program"`
	Units   []string `json:"units,omitempty"` // left out because of it
}

// withoutProgram takes away the units whose programs are not there, so that a
// boot does not fail over them, and returns them by program.
func (c contents) withoutProgram(packages []*recipe.Package) (map[string][]string, error) {
	out := map[string][]string{}
	for _, p := range packages {
		for _, u := range p.Units {
			file := path.Join(unitDir, u.Name)
			if u.File == "" || !c.has(file) {
				continue
			}
			text, err := c.read(file)
			if err != nil {
				return nil, err
			}
			for _, program := range starts(text) {
				if !c.has(program) {
					out[program] = append(out[program], u.Name)
					delete(c, file)
				}
			}
		}
	}
	return out, nil
}
