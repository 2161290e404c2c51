package healthref

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// folders are where nodes find faults with themselves. What is wrong with
// settings has codes in models, which the reference of problems lists.
var folders = []string{"api", "sources"}

// scan returns the places in which the source below fsys has each code.
func scan(fsys fs.FS) (map[string][]string, error) {
	found := map[string][]string{}
	for _, dir := range folders {
		err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			return scanFile(fsys, name, found)
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scanFile adds the codes of a file: what is declared as one, and what a fault has
// as its code in so many letters.
func scanFile(fsys fs.FS, name string, found map[string][]string) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	add := func(e ast.Expr) error {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return nil
		}
		code, err := strconv.Unquote(lit.Value)
		if err != nil {
			return err
		}
		found[code] = append(found[code], fmt.Sprintf("%s:%d", name, files.Position(lit.Pos()).Line))
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for _, v := range n.Values {
				if err == nil && isCode(n.Type) {
					err = add(v)
				}
			}
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				field, ok := e.(*ast.KeyValueExpr)
				if key, named := nameOf(field, ok); err == nil && named && key == "Code" && isNamed(n.Type, "Fault") {
					err = add(field.Value)
				}
			}
		}
		return err == nil
	})
	return err
}

func nameOf(field *ast.KeyValueExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	id, ok := field.Key.(*ast.Ident)
	if !ok {
		return "", false
	}
	return id.Name, true
}

func isCode(t ast.Expr) bool { return isNamed(t, "Code") }

// isNamed reports whether t is the type of that name of package report.
func isNamed(t ast.Expr, name string) bool {
	sel, ok := t.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == "report"
}
