package suite

import (
	"errors"
	"os"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/packagelint"
)

// packages checks the definitions and templates of all packages.
func (s *Suite) packages() error {
	packages := os.DirFS(s.Root.Path("packages"))
	compositions, err := packagelint.Load(os.DirFS(s.Root.Path("variants")), packages)
	if err != nil {
		return err
	}
	problems, err := packagelint.Check(compositions, packages)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return errors.New(strings.Join(lines, "\n"))
}
