package apiserver

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/bulkhead-os/bulkhead/api/applier"
	"github.com/bulkhead-os/bulkhead/api/render"
	"github.com/bulkhead-os/bulkhead/api/server"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/recipe"
)

// applySocket is where the apply service of a node listens.
const applySocket = "/run/bulkhead/apply.sock"

// applierFor returns what applies settings, or nil where nothing does: in a
// sandbox unless it is told, and on a node without the service.
func applierFor(opt Options) server.Applier {
	path := opt.ApplySocket
	if path == "" && opt.Root == "/" {
		if _, err := os.Stat(applySocket); err == nil {
			path = applySocket
		}
	}
	if path == "" {
		return nil
	}
	return applier.New(path)
}

// catalogue returns what reads the packages called names of the image in dir,
// or nil when there are none.
func catalogue(dir string, names []string, log *slog.Logger) func() *server.Catalogue {
	packages := filepath.Join(dir, "usr/share/bulkhead/packages")
	if info, err := os.Stat(packages); dir == "" || err != nil || !info.IsDir() {
		return nil
	}
	return func() *server.Catalogue {
		// Parsing all templates takes more memory than the daemon has otherwise, and
		// happens once.
		defer debug.FreeOSMemory()
		return readCatalogue(os.DirFS(packages), names, log)
	}
}

func readCatalogue(packages fs.FS, names []string, log *slog.Logger) *server.Catalogue {
	// The image was checked when it was built; what cannot be read is left out.
	all, rep := recipe.LoadAll(packages, names)
	if err := rep.Err(); err != nil {
		log.Error("packages of the image are broken", "err", err)
	}
	return server.NewCatalogue(all, func(p *recipe.Package, c *recipe.Config) []key.Key {
		t, err := render.Parse(c.Template, p.Templates[c.Template])
		if err != nil {
			log.Error("template is broken", "package", p.Name, "err", err)
			return nil
		}
		return t.Keys()
	})
}
