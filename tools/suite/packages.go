package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/packagelint"
	"github.com/bulkhead-os/bulkhead/tools/validators"
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

// exposure checks what the services of all packages could do to the machine.
// Without the means to get systemd it says so, as the tests do.
func (s *Suite) exposure(ctx context.Context) error {
	list, err := s.exposures(ctx)
	if errors.Is(err, debtree.ErrNoTools) {
		fmt.Fprintln(s.Out, err)
		return nil
	}
	if err != nil {
		return err
	}
	if len(list) > 0 {
		fmt.Fprintf(s.Out, "%s: shipyard check --exposure lists all\n", validators.Summary(list))
	}
	return validators.CheckExposures(list)
}

func (s *Suite) exposures(ctx context.Context) ([]validators.Exposure, error) {
	packages := os.DirFS(s.Root.Path("packages"))
	compositions, err := packagelint.Load(os.DirFS(s.Root.Path("variants")), packages)
	if err != nil {
		return nil, err
	}
	return validators.Exposures(ctx, s.Root, packagelint.Packages(compositions), packages, s.Out)
}

// Exposures prints what the services of all packages could do to the machine.
func (s *Suite) Exposures(ctx context.Context) error {
	list, err := s.exposures(ctx)
	if err != nil {
		return err
	}
	return validators.PrintExposures(s.Out, list)
}
