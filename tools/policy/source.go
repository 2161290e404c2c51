// Package policy holds the rules of the repository that a program can check.
//
// A rule is a function that returns the faults it finds, each a sentence that
// names the place and says what is wanted. The tests of this package run every
// rule on the repository itself.
package policy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// skipped directories hold nothing that was written here.
func skipDir(name string) bool {
	return name == "testdata" || name == "build" || name == "vendor" || (len(name) > 1 && name[0] == '.')
}

// Docs returns the packages that lack a doc comment, or whose comment does not
// begin the way godoc shows it: "Package x …", for a program "Command x …".
func Docs(tree fs.FS) ([]string, error) {
	docs := map[string][]*ast.File{} // by directory
	err := walkGo(tree, func(name string, file *ast.File) {
		dir := path.Dir(name)
		docs[dir] = append(docs[dir], file)
	})
	if err != nil {
		return nil, fmt.Errorf("read package docs: %w", err)
	}
	var faults []string
	for dir, files := range docs {
		if fault := docFault(dir, files); fault != "" {
			faults = append(faults, fault)
		}
	}
	slices.Sort(faults)
	return faults, nil
}

func docFault(dir string, files []*ast.File) string {
	name := files[0].Name.Name
	want := "Package " + name + " "
	if name == "main" {
		want = "Command " + path.Base(dir) + " "
	}
	for _, f := range files {
		if f.Doc == nil {
			continue
		}
		if text := f.Doc.Text(); !strings.HasPrefix(text, want) {
			first, _, _ := strings.Cut(text, "\n")
			return fmt.Sprintf("%s: the package doc begins %q, want %q", dir, first, want+"…")
		}
		return ""
	}
	return fmt.Sprintf("%s: no package doc, want a comment that begins %q", dir, want+"…")
}

// walkGo calls f for every Go file of tree that is not a test.
func walkGo(tree fs.FS, f func(name string, file *ast.File)) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f(name, file)
		return nil
	})
}

// Exported returns the exported types, functions, variables and constants of
// tree that have no comment. Methods are left out: most say all by their name
// and signature.
func Exported(tree fs.FS) ([]string, error) {
	var faults []string
	err := walkGo(tree, func(name string, file *ast.File) {
		if file.Name.Name == "main" {
			return
		}
		for _, decl := range file.Decls {
			for _, id := range bare(decl) {
				faults = append(faults, fmt.Sprintf("%s: %s has no comment, want one that tells its contract", name, id))
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read comments: %w", err)
	}
	return faults, nil
}

// bare returns the exported names that decl declares without a comment.
func bare(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() && d.Doc == nil {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil || d.Tok == token.IMPORT {
			return nil // the comment of a group is enough
		}
		var names []string
		for _, spec := range d.Specs {
			names = append(names, bareSpec(spec)...)
		}
		return names
	}
	return nil
}

func bareSpec(spec ast.Spec) []string {
	var names []string
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
			names = append(names, s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, id := range s.Names {
			if id.IsExported() && s.Doc == nil && s.Comment == nil {
				names = append(names, id.Name)
			}
		}
	}
	return names
}

// Names returns the files and directories whose name says nothing about what
// is in them.
func Names(tree fs.FS) ([]string, error) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc"}
	var faults []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipDir(d.Name()) {
			return fs.SkipDir
		}
		stem, _, _ := strings.Cut(d.Name(), ".")
		if slices.Contains(empty, strings.TrimSuffix(stem, "_test")) {
			faults = append(faults, fmt.Sprintf("%s: the name says nothing, want that of what is in it", name))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return faults, nil
}
