package image

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/bulkhead-os/bulkhead/models/recipe"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// together is where the commands of a file with many of them are, for the Go
// command, below the directory of the package. It is in an overlay alone.
const together = "together"

// compileTogether builds many commands into one file, which is the command that
// it is called by the name of. Each is a package main of others, which nobody can
// import: the Go command is shown a copy that is no main package.
func compileTogether(ctx context.Context, root workspace.Root, p *recipe.Package, m recipe.Module, file string) error {
	work := file + ".sources"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	o := overlay{dir: work, at: root.Path("packages", p.Name, together), replace: map[string]string{}}
	for _, command := range m.Packages {
		if err := o.add(ctx, root, p, command); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	if err := o.addMain("github.com/bulkhead-os/bulkhead/packages/"+p.Name+"/"+together, m.Packages); err != nil {
		return err
	}
	list, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return err
	}
	listFile := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(listFile, list, 0o644); err != nil {
		return err
	}
	m.Package = "./" + together
	return compileModule(ctx, root, p, m, file, "-overlay="+listFile)
}

// An overlay shows the Go command files below at that are below dir.
type overlay struct {
	dir, at string
	replace map[string]string
}

func (o *overlay) write(name string, data []byte) error {
	file := filepath.Join(o.dir, strings.ReplaceAll(name, "/", "_"))
	o.replace[filepath.Join(o.at, name)] = file
	return os.WriteFile(file, data, 0o644)
}

// add adds the files of a command as a package that can be imported.
func (o *overlay) add(ctx context.Context, root workspace.Root, p *recipe.Package, command string) error {
	cmd := root.Go("list", "-json=Dir,GoFiles,EmbedFiles,Name", command)
	cmd.Dir = root.Path("packages", p.Name)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.Output(ctx)
	if err != nil {
		return err
	}
	var found struct {
		Dir, Name           string
		GoFiles, EmbedFiles []string
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return err
	}
	if found.Name != "main" || len(found.EmbedFiles) > 0 {
		return fmt.Errorf("it is package %s with %d embedded files, want a command without", found.Name, len(found.EmbedFiles))
	}
	for _, name := range found.GoFiles {
		source, err := os.ReadFile(filepath.Join(found.Dir, name))
		if err != nil {
			return err
		}
		if source, err = importable(name, source); err != nil {
			return err
		}
		if err := o.write(path.Base(command)+"/"+name, source); err != nil {
			return err
		}
	}
	return nil
}

// importable returns the source of a command with another name for its package,
// and for the function that is the command, that others may call.
func importable(name string, source []byte) ([]byte, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	text := string(source)
	for _, d := range f.Decls { // behind the name of the package, which so stays where it is
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "main" {
			at := files.Position(fn.Name.Pos()).Offset
			text = text[:at] + "Main" + text[at+len("main"):]
		}
	}
	at := files.Position(f.Name.Pos()).Offset
	return []byte(text[:at] + "command" + text[at+len("main"):]), nil
}

var mainSource = template.Must(template.New("").Parse(`package main

import (
	"os"
	"path/filepath"
{{ range $i, $name := .Names }}
	c{{ $i }} "{{ $.At }}/{{ $name }}"
{{- end }}
)

func main() {
	switch filepath.Base(os.Args[0]) {
{{- range $i, $name := .Names }}
	case "{{ $name }}":
		c{{ $i }}.Main()
{{- end }}
	default:
		os.Stderr.WriteString("to be called by the name of one of its commands\n")
		os.Exit(2)
	}
}
`))

// addMain adds what calls the commands, which are below the import path at.
func (o *overlay) addMain(at string, commands []string) error {
	var text strings.Builder
	var names []string
	for _, c := range commands {
		names = append(names, path.Base(c))
	}
	if err := mainSource.Execute(&text, map[string]any{"At": at, "Names": names}); err != nil {
		return err
	}
	return o.write("main.go", []byte(text.String()))
}
