package recipe

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/bulkhead-os/bulkhead/models/report"
)

// Load reads the package called name from fsys, which has one directory per
// package, and the templates it uses. The package is nil exactly when the
// report has errors.
func Load(fsys fs.FS, name string) (*Package, report.Report) {
	var rep report.Report
	data, err := fs.ReadFile(fsys, path.Join(name, "package.toml"))
	if err != nil {
		rep.Add(report.Fault{Code: report.InvalidValue, Detail: fmt.Sprintf("there is no package %q: %v", name, err)})
		return nil, rep
	}
	p, rep := Parse(name, data)
	if p == nil {
		return nil, rep
	}
	p.Templates = map[string]string{}
	for _, c := range p.Configs {
		text, err := fs.ReadFile(fsys, path.Join(name, c.Template))
		if err != nil {
			rep.Add(fault(p, report.InvalidValue, fmt.Sprintf("read template %s: %v", c.Template, err), ""))
			continue
		}
		p.Templates[c.Template] = string(text)
	}
	if rep.HasErrors() {
		return nil, rep
	}
	return p, rep
}

// LoadAll reads the packages called names. What can be read is returned, also
// when the report has errors.
func LoadAll(fsys fs.FS, names []string) ([]*Package, report.Report) {
	var out []*Package
	var all report.Report
	for _, name := range names {
		p, rep := Load(fsys, name)
		all.Merge(rep)
		if p != nil {
			out = append(out, p)
		}
	}
	return out, all
}
