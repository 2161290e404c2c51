// Package healthref writes the reference of what can be wrong with a node.
//
// Its source is the table in codes.go. What makes it complete is the source of the
// programs: a code that one of them has and the table has not is an error, and so is
// the other way round.
package healthref

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Output is where the page is, from the root of the repository.
const Output = "docs/reference/health.md"

// A group is of one part of a node.
type group struct {
	title string
	codes []code
}

// A code is one kind of fault.
type code struct {
	name     string
	severity string // of the most severe form first
	cause    string
	remedy   string
}

// Page returns the page for the source below fsys.
func Page(fsys fs.FS) ([]byte, error) {
	found, err := scan(fsys)
	if err != nil {
		return nil, err
	}
	return page(groups, found)
}

const intro = `<!-- Made by "shipyard generate" from the table in tools/generate/healthref. Do not edit. -->

# What can be wrong with a node

` + "`apiclient health`, `GET /health` and the console show the faults of a node, each with a code, what has happened in this case, and often\n" +
	"what to do. A node is `degraded` while it has a fault that is an error or a warning. What user data and settings have got wrong has\n" +
	"the codes of faults in [problems](problems.md).\n"

func page(groups []group, found map[string][]string) ([]byte, error) {
	if err := check(groups, found); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(intro)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| Code | Severity | Cause | What to do |\n|---|---|---|---|\n", g.title)
		for _, c := range g.codes {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.name, c.severity, c.cause, c.remedy)
		}
	}
	return b.Bytes(), nil
}

// check compares the table with what the source has.
func check(groups []group, found map[string][]string) error {
	var faults []error
	listed := map[string]bool{}
	for _, g := range groups {
		for _, c := range g.codes {
			switch {
			case listed[c.name]:
				faults = append(faults, fmt.Errorf("code %q has two rows in tools/generate/healthref/codes.go", c.name))
			case found[c.name] == nil:
				faults = append(faults, fmt.Errorf("code %q has a row in tools/generate/healthref/codes.go, and no program has it", c.name))
			}
			listed[c.name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !listed[name] {
			faults = append(faults, fmt.Errorf("code %q (%s) has no row in tools/generate/healthref/codes.go: add its cause and what to do", name, strings.Join(found[name], ", ")))
		}
	}
	return errors.Join(faults...)
}
