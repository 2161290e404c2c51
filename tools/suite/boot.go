package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bulkhead-os/bulkhead/tools/debtree"
	"github.com/bulkhead-os/bulkhead/tools/testimage"
	"github.com/bulkhead-os/bulkhead/tools/workspace"
)

// bootPackage has the tests that boot an image. They are run when all others have
// ended: machines that are emulated keep all processors busy, and nothing is
// learned from waiting longer for them.
const bootPackage = workspace.Module + "/tools/boottest"

// divide reports whether the packages that the patterns match include the one
// that boots, and returns the others.
func (s *Suite) divide(ctx context.Context, patterns []string) (others []string, boots bool) {
	out, err := s.Root.Go(append([]string{"list"}, patterns...)...).Output(ctx)
	if err != nil {
		return patterns, false // go test tells what is wrong with them
	}
	all := strings.Fields(string(out))
	i := slices.Index(all, bootPackage)
	if i < 0 {
		return patterns, false
	}
	return slices.Delete(all, i, i+1), true
}

// boot builds the images and runs the tests that boot them.
func (s *Suite) boot(ctx context.Context, opt Options) {
	opt.Packages = []string{bootPackage}
	if opt.Short {
		s.goTest(ctx, testArgs(opt), opt) // each says that it is skipped
		return
	}
	failed := s.tally.Failed
	image := s.image(ctx, "image", testimage.Build)
	first := s.image(ctx, "other image", testimage.BuildFirst)
	cluster := s.image(ctx, "image for Kubernetes", testimage.BuildKubernetes)
	if s.tally.Failed == failed {
		s.goTest(ctx, testArgs(opt), opt, testimage.Variable+"="+image, testimage.FirstVariable+"="+first, testimage.KubernetesVariable+"="+cluster)
	}
}

// image builds an image and returns the directory that it is in. Without the means
// to do so, the tests say so.
func (s *Suite) image(ctx context.Context, name string, build func(context.Context, workspace.Root, io.Writer) (string, error)) (dir string) {
	s.step(name, func() (err error) {
		dir, err = build(ctx, s.Root, s.Out)
		if errors.Is(err, debtree.ErrNoTools) {
			fmt.Fprintln(s.Out, err)
			return nil
		}
		return err
	})
	return dir
}
