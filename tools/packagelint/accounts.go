package packagelint

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// accounts finds users and groups of packages without a fixed number, and
// numbers that are given twice. Files in /var keep the number of their owner when
// another image takes over, whatever that image has it mean.
func accounts(packages []*recipe.Package, sources fs.FS) ([]Problem, error) {
	var out []Problem
	taken := map[string]string{} // account by kind and number
	for _, p := range packages {
		for _, d := range p.Debian {
			for _, k := range d.Keep {
				if strings.Contains(k, "/sysusers.d/") {
					out = append(out, Problem{p.Name, fmt.Sprintf("%s gives numbers as they come: name its accounts in a file of ours", k)})
				}
			}
		}
		if p.Sysusers == "" {
			continue
		}
		text, err := fs.ReadFile(sources, path.Join(p.Name, p.Sysusers))
		if err != nil {
			return nil, fmt.Errorf("accounts of package %s: %w", p.Name, err)
		}
		for line := range strings.Lines(string(text)) {
			for _, fault := range account(line, taken) {
				out = append(out, Problem{p.Name, p.Sysusers + ": " + fault})
			}
		}
	}
	return out, nil
}

// account returns what is wrong with a line of a sysusers file, and notes the
// numbers that it gives in taken.
func account(line string, taken map[string]string) []string {
	words := strings.Fields(line)
	if len(words) < 2 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	kind, name := strings.TrimRight(words[0], "!+-="), words[1]
	if kind != "u" && kind != "g" {
		return nil
	}
	id := "-"
	if len(words) > 2 {
		id = words[2]
	}
	user, group, ok := strings.Cut(id, ":")
	if !ok {
		group = user // a user has a group of the same name and number
	}
	numbers := map[string]string{"group": group}
	if kind == "u" {
		numbers["user"] = user
	}
	var out []string
	for _, what := range []string{"user", "group"} {
		number, ok := numbers[what]
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(number); err != nil || n < 0 || n > 65534 {
			out = append(out, fmt.Sprintf("%s %s has %q for a number, want a fixed one", what, name, number))
			continue
		}
		other, ok := taken[what+number]
		if ok && other != name && !slices.Equal(slices.Sorted(slices.Values([]string{other, name})), sameNumber) {
			out = append(out, fmt.Sprintf("%s %s has number %s, which is that of %s", what, name, number, other))
		}
		taken[what+number] = name
	}
	return out
}

// sameNumber are two names for the group of nobody.
var sameNumber = []string{"nobody", "nogroup"}
