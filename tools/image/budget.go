package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// A Budget is what an image may grow to. Each variant has one, as
// tools/image/budgets/NAME.toml, or else that of its runtime.
type Budget struct {
	SizeMB      float64 `toml:"size-mb"`     // root file system and boot program, in units of 10^6 bytes
	InitrdMB    float64 `toml:"initrd-mb"`   // packed
	Executables int     `toml:"executables"` // files that can be run
	Units       int     `toml:"units"`       // of systemd, those that the image has without settings
}

// budgetDir holds the budgets.
const budgetDir = "tools/image/budgets"

// readBudget returns the budget of a variant.
func readBudget(dir, variant, runtime string) (Budget, error) {
	for _, name := range []string{variant, runtime} {
		file := filepath.Join(dir, name+".toml")
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Budget{}, err
		}
		var b Budget
		if err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(&b); err != nil {
			return b, fmt.Errorf("%s: %w", file, err)
		}
		return b, nil
	}
	return Budget{}, fmt.Errorf("no budget in %s for variant %s or runtime %s", dir, variant, runtime)
}

// use is what an image takes of its budget.
type use struct {
	size, initrd int64  // without images of containers that are embedded
	executables  []File // the largest first
	units        int
}

// checkBudget refuses an image that takes more than its budget.
func (b *builder) checkBudget(context.Context) (string, error) {
	budget, err := readBudget(b.root.Path(budgetDir), b.opt.Variant, b.runtime)
	if err != nil {
		return "", err
	}
	u := use{executables: executables(b.files)}
	for _, name := range b.contents.paths() {
		if path.Dir(name) == unitDir && path.Ext(name) != ".wants" && path.Ext(name) != ".requires" && path.Ext(name) != ".d" {
			u.units++
		}
	}
	for file, to := range map[string]*int64{RootFile: &u.size, UKIFile: &u.size, InitrdFile: &u.initrd} {
		info, err := os.Stat(b.out(file))
		if err != nil {
			return "", err
		}
		*to += info.Size()
	}
	// Images of containers are compressed already, and take what they are long.
	u.size -= b.embedded
	text := ""
	if b.embedded > 0 {
		text = fmt.Sprintf(", beside %s of embedded images", megabytes(b.embedded))
	}
	return fmt.Sprintf("%s of %.0f MB%s, %d of %d executables, %d of %d units", megabytes(u.size), budget.SizeMB, text, len(u.executables), budget.Executables, u.units, budget.Units), budget.check(u)
}

// executables returns the files that can be run.
func executables(files []File) []File {
	var out []File
	for _, f := range files {
		if f.SHA256 != "" && strings.ContainsAny(f.Mode[1:], "1357") && !strings.Contains(path.Base(f.Path), ".so") {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b File) int { return int(b.Size - a.Size) })
	return out
}

// check reports all that u takes too much of.
func (b Budget) check(u use) error {
	var errs []error
	over := func(what string, have, most float64, hint string) {
		if have > most {
			errs = append(errs, fmt.Errorf("%s: %.4g, the budget is %.4g%s", what, have, most, hint))
		}
	}
	var largest []string
	for _, f := range u.executables[:min(5, len(u.executables))] {
		largest = append(largest, fmt.Sprintf("%s %s", f.Path, megabytes(f.Size)))
	}
	over("MB of root file system and boot program", float64(u.size)/1e6, b.SizeMB, "; the largest programs, unpacked: "+strings.Join(largest, ", "))
	over("MB of initrd", float64(u.initrd)/1e6, b.InitrdMB, "")
	over("executables", float64(len(u.executables)), float64(b.Executables), "")
	over("units", float64(u.units), float64(b.Units), "")
	return errors.Join(errs...)
}
