package sbom

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/google/licenseclassifier/v2/assets"
	"golang.org/x/mod/module"
)

// A Module is a Go module that programs are built from, with the texts of its
// licences by the names of their files.
type Module struct {
	Path, Version string
	Texts         map[string][]byte
}

// Modules returns the modules that the Go programs in files are built from,
// other than those of the repository, with their texts from the cache of
// modules at cache. Files that are no Go programs are left out.
func Modules(files []string, cache string) ([]Module, error) {
	seen := map[module.Version]bool{}
	for _, f := range files {
		info, err := buildinfo.ReadFile(f)
		if err != nil {
			continue // not a Go program
		}
		for _, d := range info.Deps {
			if m, ok := pinned(d); ok {
				seen[m] = true
			}
		}
		// The module of a program that was fetched is a dependency like others.
		if m, ok := pinned(&info.Main); ok {
			seen[m] = true
		}
	}
	var out []Module
	for m := range seen {
		texts, err := licences(cache, m)
		if err != nil {
			return nil, err
		}
		out = append(out, Module{m.Path, m.Version, texts})
	}
	slices.SortFunc(out, func(a, b Module) int { return strings.Compare(a.Path+"@"+a.Version, b.Path+"@"+b.Version) })
	return out, nil
}

// pinned returns the module that d stands for, unless it is one of a directory.
func pinned(d *debug.Module) (module.Version, bool) {
	if d.Replace != nil {
		d = d.Replace
	}
	m := module.Version{Path: d.Path, Version: d.Version}
	return m, strings.HasPrefix(m.Version, "v") && module.Check(m.Path, m.Version) == nil
}

// licences returns the texts in the directory of m that tell its licences.
func licences(cache string, m module.Version) (map[string][]byte, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return nil, err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, path+"@"+version)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("licence of %s: %w", m, err)
	}
	texts := map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || !isLicence(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts[e.Name()] = text
	}
	if len(texts) == 0 {
		// Without one there is no right to pass the program on.
		return nil, fmt.Errorf("licence of %s: none of the files in %s is one", m, dir)
	}
	return texts, nil
}

func isLicence(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "PATENTS"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// classifier knows the texts of licences. Reading them takes a while.
var classifier = sync.OnceValues(assets.DefaultClassifier)

// Licence returns the SPDX expression of the licences whose texts m has, and ""
// when there is one that is not known.
func (m Module) Licence() (string, error) {
	known, err := classifier()
	if err != nil {
		return "", err
	}
	var ids []string
	for _, name := range slices.Sorted(maps.Keys(m.Texts)) {
		if upper := strings.ToUpper(name); strings.HasPrefix(upper, "NOTICE") || strings.HasPrefix(upper, "PATENTS") {
			continue
		}
		found := 0
		for _, match := range known.Match(m.Texts[name]).Matches {
			if match.MatchType == "License" {
				ids = append(ids, match.Name)
				found++
			}
		}
		if found == 0 {
			return "", nil
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " AND "), nil
}
