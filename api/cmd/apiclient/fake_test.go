package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// A scripted applier answers what its file says, which scripts replace.
type scripted struct{ file string }

func applierIn(dir string) server.Applier {
	s := scripted{filepath.Join(dir, "applier.json")}
	if _, err := os.Stat(s.file); err != nil {
		return nil
	}
	return s
}

func (s scripted) read() (a struct {
	Plan   applier.Plan
	Result applier.Result
	Hang   bool
}, err error,
) {
	data, err := os.ReadFile(s.file)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(data, &a)
}

func (scripted) Warm(context.Context, applier.OS) error { return nil }

func (s scripted) Plan(context.Context, applier.Request) (applier.Plan, error) {
	a, err := s.read()
	return a.Plan, err
}

func (s scripted) Apply(ctx context.Context, r applier.Request, _ func(applier.Item)) (applier.Result, error) {
	a, err := s.read()
	a.Result.Generation = r.Generation
	if a.Hang {
		<-ctx.Done()
		err = ctx.Err()
	}
	return a.Result, err
}

// catalogueIn reads the packages of a script.
func catalogueIn(dir string) func() *server.Catalogue {
	packages := filepath.Join(dir, "packages")
	entries, err := os.ReadDir(packages)
	if err != nil {
		return nil
	}
	return func() *server.Catalogue {
		var all []*recipe.Package
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(packages, e.Name(), "package.toml"))
			if err != nil {
				panic(err)
			}
			p, rep := recipe.Parse(e.Name(), data)
			if err := rep.Err(); err != nil {
				panic(err)
			}
			all = append(all, p)
		}
		return server.NewCatalogue(all, func(*recipe.Package, *recipe.Config) []key.Key { return nil })
	}
}
