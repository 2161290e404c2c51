package suite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/checker"
	"github.com/bulkhead-os/bulkhead/tools/run"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// check runs the checks of the source on all modules and packages.
func (s *Suite) check(ctx context.Context, modules []string) {
	s.step("format", func() error { return s.format(ctx, modules) })
	filled, err := s.filled(ctx, modules)
	if err != nil {
		s.step("modules", func() error { return err })
		return
	}
	for _, m := range filled {
		s.step("vet "+m, func() error {
			return complaint(ctx, s.Root.Go("vet", "./"+m+"/..."))
		})
	}
	s.step("staticcheck", func() error { return s.staticcheck(ctx, filled) })
	s.step("packages", s.packages)
	s.step("exposure", func() error { return s.exposure(ctx) })
}

// filled returns the modules that have a package. Checkers take a pattern
// that matches nothing for a mistake.
func (s *Suite) filled(ctx context.Context, modules []string) ([]string, error) {
	args := append([]string{"list", "-e", "-f", "{{.ImportPath}}"}, workspace.Patterns(modules)...)
	out, err := s.Root.Go(args...).Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var filled []string
	for _, m := range modules {
		if strings.Contains("\n"+string(out), "\n"+workspace.Module+"/"+m) {
			filled = append(filled, m)
		}
	}
	return filled, nil
}

// format uses gofumpt alone: what it leaves as it is, gofmt does too.
func (s *Suite) format(ctx context.Context, modules []string) error {
	gofumpt, err := checker.Build(ctx, s.Root, checker.Gofumpt)
	if err != nil {
		return err
	}
	cmd := run.Command{Args: append([]string{gofumpt, "-l"}, modules...), Dir: string(s.Root)}
	out, err := cmd.Output(ctx)
	if err != nil {
		return err
	}
	if len(out) > 0 {
		return fmt.Errorf("%sto format them: %s -w %s", out, "build/bin/gofumpt", strings.Join(modules, " "))
	}
	return nil
}

func (s *Suite) staticcheck(ctx context.Context, modules []string) error {
	if len(modules) == 0 {
		return errors.New("no module has a package")
	}
	bin, err := checker.Build(ctx, s.Root, checker.Staticcheck)
	if err != nil {
		return err
	}
	cmd := s.Root.Go()
	// ST1000, off by default, asks for package docs.
	cmd.Args = append([]string{bin, "-checks", "inherit,ST1000"}, workspace.Patterns(modules)...)
	return complaint(ctx, cmd)
}
