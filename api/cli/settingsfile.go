package cli

import (
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/api/client"
	"github.com/bulkhead-os/bulkhead/models/key"
	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

// A settingsFile is a document with settings in it, as text and as a tree that
// knows where everything stands.
type settingsFile struct {
	source
	contentType string
	settings    *syntax.Node // what stands below "settings"
}

// parseSettings finds out whether s is TOML or JSON, and that it has settings.
// What is in them is for the API to judge.
func parseSettings(s source) (settingsFile, report.Report) {
	root, tomlFaults := syntax.TOML(s.data, syntax.DefaultLimits)
	contentType, rep := client.TOML, tomlFaults
	if tomlFaults.HasErrors() {
		var jsonFaults report.Report
		root, jsonFaults = syntax.JSON(s.data, syntax.DefaultLimits)
		contentType, rep = client.JSON, jsonFaults
		if jsonFaults.HasErrors() {
			return settingsFile{}, inFile(s.name, neither(tomlFaults, jsonFaults))
		}
	}
	f := settingsFile{source: s, contentType: contentType}
	if root.Kind == syntax.Table {
		f.settings = root.Field(key.Root)
	}
	if f.settings == nil || f.settings.Kind != syntax.Table {
		rep.Add(report.Fault{
			Code: report.WrongType, Line: 1, Column: 1, Detail: `the document has no table "settings"`,
			Hint: "settings belong below [settings] in TOML, in {\"settings\": {…}} in JSON",
		})
	}
	return f, inFile(s.name, rep)
}

// neither joins the faults that a text has as TOML and as JSON.
func neither(toml, json report.Report) report.Report {
	var rep report.Report
	for _, as := range []struct {
		language string
		report.Report
	}{{"TOML", toml}, {"JSON", json}} {
		for _, f := range as.Faults {
			f.Detail = as.language + ": " + strings.TrimPrefix(f.Detail, as.language+": ")
			rep.Add(f)
		}
	}
	return rep
}

// inFile names the file that faults are about.
func inFile(name string, rep report.Report) report.Report {
	for i := range rep.Faults {
		rep.Faults[i].Source = name
	}
	return rep
}

// parseAll parses sources. The error lists the faults of all of them.
func parseAll(sources []source) ([]settingsFile, error) {
	var files []settingsFile
	var rep report.Report
	for _, s := range sources {
		f, faults := parseSettings(s)
		files = append(files, f)
		rep.Merge(faults)
	}
	return files, rep.Err()
}

// locate gives the faults of err that have no place the one where the last of
// files mentions their setting, or else its table.
func locate(err error, files []settingsFile) error {
	place(faultsOf(err), files)
	return err
}

func place(faults []report.Fault, files []settingsFile) {
	for i := range faults {
		path := settingOf(faults[i].Path)
		for ; faults[i].Line == 0 && len(path) > 0; path = path[:len(path)-1] {
			for _, f := range slices.Backward(files) {
				if pos, ok := find(f.settings, path); ok {
					faults[i].Source, faults[i].Line, faults[i].Column = f.name, pos.Line, pos.Column
					break
				}
			}
		}
	}
}

// settingOf returns the segments of the setting that the path of a fault is
// about, without what it says about elements of lists.
func settingOf(path string) []string {
	for i := range len(path) {
		if path[i] == '[' {
			path = path[:i]
			break
		}
	}
	k, err := key.Parse(path)
	if err != nil || k.IsRoot() {
		return nil
	}
	var segments []string
	for s := range k.Segments() {
		segments = append(segments, s)
	}
	return segments
}

// find returns where the name of the setting stands below n.
func find(n *syntax.Node, segments []string) (pos syntax.Pos, ok bool) {
	for _, s := range segments {
		i := slices.IndexFunc(n.Fields, func(f syntax.Field) bool { return f.Name == s })
		if i < 0 {
			return syntax.Pos{}, false
		}
		pos, n = n.Fields[i].Pos, n.Fields[i].Value
	}
	return pos, pos.Line > 0
}
