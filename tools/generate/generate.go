// Package generate makes the checked-in files that are not written by hand.
//
// Each kind of file has a Generator in the table that All returns. To add one,
// write a function from the root to the files' contents and add its line.
package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/bulkhead-os/bulkhead/api/cli"
	"github.com/bulkhead-os/bulkhead/api/cli/manual"
	"github.com/bulkhead-os/bulkhead/api/openapi"
	"github.com/bulkhead-os/bulkhead/api/problem"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/document"
	"github.com/bulkhead-os/bulkhead/models/schema"
	"github.com/bulkhead-os/bulkhead/models/settings"
	"github.com/bulkhead-os/bulkhead/tools/generate/healthref"
	"github.com/bulkhead-os/bulkhead/tools/generate/programdeps"
	"github.com/bulkhead-os/bulkhead/tools/generate/settingsdocs"
	"github.com/bulkhead-os/bulkhead/tools/generate/settingsref"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// Files are the contents of files by their path from the root, with slashes.
type Files map[string][]byte

// A Generator makes one kind of checked-in file.
type Generator struct {
	Name  string // what it makes, for people
	Files func(ctx context.Context, root workspace.Root) (Files, error)
}

// All returns every generator. What a later one makes may depend on what an
// earlier one wrote.
func All() []Generator {
	return []Generator{
		{Name: "documentation of settings", Files: func(_ context.Context, root workspace.Root) (Files, error) {
			return only(settingsdocs.Output)(settingsdocs.Generate(os.DirFS(root.Path("models", "settings"))))
		}},
		{Name: "reference of settings", Files: func(_ context.Context, root workspace.Root) (Files, error) {
			return below("docs/reference/settings")(settingsref.Pages(os.DirFS(root.Path("variants"))))
		}},
		{Name: "JSON Schema of settings", Files: func(context.Context, workspace.Root) (Files, error) {
			return Files{"docs/reference/settings.schema.json": schemaOfAll()}, nil
		}},
		{Name: "description of the API", Files: func(context.Context, workspace.Root) (Files, error) {
			return only("api/openapi.yaml")(openapi.Document(server.Routes(), schemaOfAll()))
		}},
		{Name: "reference of problems", Files: func(context.Context, workspace.Root) (Files, error) {
			return Files{"docs/reference/problems.md": problem.Reference()}, nil
		}},
		{Name: "reference of faults", Files: func(_ context.Context, root workspace.Root) (Files, error) {
			return only(healthref.Output)(healthref.Page(os.DirFS(root.Path())))
		}},
		{Name: "reference of apiclient", Files: func(context.Context, workspace.Root) (Files, error) {
			return Files{"docs/reference/apiclient.md": manual.Markdown(cli.Command())}, nil
		}},
		{Name: "manual pages of apiclient", Files: func(context.Context, workspace.Root) (Files, error) {
			return below("docs/reference/man")(manual.Pages(cli.Command()), nil)
		}},
		{Name: "dependencies of programs", Files: func(ctx context.Context, root workspace.Root) (Files, error) {
			files, err := programdeps.Generate(ctx, root)
			return files, err
		}},
	}
}

// schemaOfAll describes the settings of all variants together.
func schemaOfAll() []byte {
	return schema.For(settings.Type, "", nil).JSONSchema(document.Document{})
}

// below returns the Files of a generator of several files in the folder dir.
func below(dir string) func(map[string][]byte, error) (Files, error) {
	return func(pages map[string][]byte, err error) (Files, error) {
		if err != nil {
			return nil, err
		}
		files := Files{}
		for name, data := range pages {
			files[dir+"/"+name] = data
		}
		return files, nil
	}
}

// only returns the Files of a generator of one file.
func only(path string) func([]byte, error) (Files, error) {
	return func(data []byte, err error) (Files, error) {
		if err != nil {
			return nil, err
		}
		return Files{path: data}, nil
	}
}

// Stale returns what g would change, as one text for people, or "" when the
// files are fresh.
func Stale(ctx context.Context, root workspace.Root, g Generator) (string, error) {
	files, err := g.Files(ctx, root)
	if err != nil {
		return "", fmt.Errorf("generate %s: %w", g.Name, err)
	}
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		old, err := current(root, path)
		if err != nil {
			return "", fmt.Errorf("generate %s: %w", g.Name, err)
		}
		if !bytes.Equal(old, files[path]) {
			fmt.Fprintf(&b, "%s is stale:\n%s", path, difference(string(old), string(files[path])))
		}
	}
	return b.String(), nil
}

// Write writes the files of g that are stale and returns their paths.
func Write(ctx context.Context, root workspace.Root, g Generator) ([]string, error) {
	files, err := g.Files(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("generate %s: %w", g.Name, err)
	}
	var changed []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		old, err := current(root, path)
		if err == nil && bytes.Equal(old, files[path]) && old != nil {
			continue
		}
		if err == nil {
			err = write(root.Path(filepath.FromSlash(path)), files[path])
		}
		if err != nil {
			return changed, fmt.Errorf("generate %s: %w", g.Name, err)
		}
		changed = append(changed, path)
	}
	return changed, nil
}

// current returns the file at path, or nil when there is none.
func current(root workspace.Root, path string) ([]byte, error) {
	data, err := os.ReadFile(root.Path(filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o644)
}
